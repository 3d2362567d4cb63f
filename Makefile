# Faultbed's targets. Each that runs scenarios hands its variables, as far as they are
# set, to out/.bin/faultbed, which judges them before it starts anything.

# Variables of `make scenarios`:
#   SYSTEM=reference|dragonfly  PROFILE=fast|production  EVIDENCE=failed|all
#   LABELS='<label filter>'  FOCUS='<regexp>'  PROCS=n  SEED=n  REPEAT=n
#   SUPERNODE=<image>  PEER=<image>  OUT=<folder>  CAPTURE=1
# of `make bench`:  PARTS=beds,steering,faults,downloads,fan-out,joins,idle,crowd
# of `make mutants`:  MUTANT=<name>  MATRIX=full  SAMPLE=n  PROCS=n  SEED=n  OUT=<folder>
# of `make explore`:  N=10  SEED=n  FOCUS='number 3,'  PROCS=n  PROFILE  SUPERNODE  PEER  OUT
# of `make list`:  LABELS  FOCUS  KILLS=1
# of `make fuzz`:  N=20000
# of `make compare`:  RUNS='out/<run> out/<run>'  MARKDOWN=1
# of `make judge` and `make report`:  RUN=out/<run>  (default: out/latest)
# and of SYSTEM=dragonfly:
#   RELEASE=v2.2.1  MANAGER=<image>  SCHEDULER=<image>  SEEDPEER=<image>  PEER=<image>
#   SEED=<image> is SEEDPEER=<image>: a seed that is no number, and has a / or a :

SHELL := /bin/sh
BIN := out/.bin
FAULTBED := $(BIN)/faultbed
TOOL := go tool -modfile=.tools.mod

# flag VARIABLE,name: the flag with the variable's value as one word, if it is set.
flag = $(if $($(1)),--$(2) '$(subst ','\'',$($(1)))')
release = $(call flag,SYSTEM,system) $(call flag,RELEASE,release)
images = $(release) $(call flag,SUPERNODE,supernode) $(call flag,MANAGER,manager) \
	$(call flag,SCHEDULER,scheduler) $(call flag,SEEDPEER,seed-peer) $(call flag,PEER,peer)
chosen = $(images) $(call flag,PROFILE,profile) $(call flag,PROCS,procs) $(call flag,SEED,seed) \
	$(call flag,OUT,out) $(call flag,EVIDENCE,evidence) $(if $(CAPTURE),--capture)
filters = $(call flag,LABELS,labels) $(call flag,FOCUS,focus)

# phase name,command: runs it between two lines that say what and how long.
phase = start=$$(date +%s); echo "== $(1)"; $(2) || exit; echo "== $(1) ... $$(($$(date +%s) - start)) s"

# The packages of the unit tests: all but the suite itself, which starts containers.
# Those that live by concurrency run under the race detector where there is a C compiler.
raced := ./images/swarm/... ./harness/agent/...
listed = $$(go list ./... | grep -v -e '^github.com/faultbed/faultbed$$' -e /images/swarm -e /harness/agent)
race = $$(command -v cc >/dev/null && [ "$$(go env CGO_ENABLED)" = 1 ] && echo -race)

.DEFAULT_GOAL := help
.PHONY: help scenarios test unit fuzz kernel engine smoke mutants explore list doctor images lint bench bed compare judge report clean deadmen generate debug soak verify go faultbed

help: ## these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@sed -n '/^# Variables of/,/^$$/ s/^# \{0,1\}/  /p' $(firstword $(MAKEFILE_LIST))

scenarios: faultbed ## everything from nothing: preflight, images, the whole suite, report
	@exec $(FAULTBED) run $(chosen) $(filters) $(call flag,REPEAT,repeat)

test: go ## unit tests (no Docker), kernel tests (root), tests of faultd, the smoke scenarios, and 2 mutants
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory kernel
	@$(MAKE) --no-print-directory engine
	@$(MAKE) --no-print-directory smoke
	@$(call phase,a sample of mutants,$(MAKE) --no-print-directory mutants SAMPLE=2)

unit: go ## unit tests only; neither Docker nor root
	@$(call phase,unit tests,go test -short $(listed))
	@$(call phase,unit tests of what runs side by side,go test -short $(race) $(raced))

fuzz: go ## looks for new inputs that break a parser, N=20000 with each
	@grep -rHo '^func Fuzz[A-Za-z]*' --include='*_test.go' images harness | while IFS=: read -r file name; do \
		go test "./$$(dirname "$$file")" -run '^$$' -fuzz "^$${name#func }$$" -fuzztime "$(or $(N),20000)x" || exit; done

kernel: go ## tests of faults in throw-away network namespaces; root, or user namespaces
	@$(call phase,kernel tests,go test -c -o $(BIN)/kernel.test ./harness/kernel && .ci/as-root $(BIN)/kernel.test ./harness/kernel)
	@$(call phase,tests of faultd in namespaces,go test -c -o $(BIN)/faultd.test ./images/faultd && .ci/as-root $(BIN)/faultd.test ./images/faultd)

engine: go ## tests of what faultd may do, to whom, and who may ask it; wants Docker
	@$(call phase,tests of faultd in its container,go test -count=1 -run Faultd ./harness)

smoke: faultbed ## the smoke scenarios only
	@$(call phase,smoke scenarios,$(FAULTBED) run $(chosen) --labels smoke)

mutants: faultbed ## break the swarm on purpose, mutant by mutant, and see that the suite notices
	@exec $(FAULTBED) mutants $(call flag,MUTANT,mutant) $(call flag,MATRIX,matrix) $(call flag,SAMPLE,sample) \
		$(call flag,PROCS,procs) $(call flag,SEED,seed) $(call flag,OUT,out)

explore: faultbed ## run N=10 random plans of faults and downloads, drawn from SEED=n
	@exec $(FAULTBED) explore $(call flag,N,n) $(call flag,SEED,seed) $(call flag,FOCUS,focus) $(call flag,PROCS,procs) \
		$(call flag,PROFILE,profile) $(call flag,SUPERNODE,supernode) $(call flag,PEER,peer) $(call flag,OUT,out)

list: faultbed ## scenarios with their labels; KILLS=1 also says which mutants they must kill
	@exec $(FAULTBED) list $(filters) $(if $(KILLS),--kills)

doctor: faultbed ## what this machine can and cannot inject, with the fix
	@exec $(FAULTBED) doctor

images: faultbed ## build the images under images/; for SYSTEM=dragonfly also get those of RELEASE
	@exec $(FAULTBED) images $(release)

bench: faultbed ## measure beds, faults and downloads against plain Docker
	@exec $(FAULTBED) bench $(call flag,PARTS,parts) $(call flag,OUT,out)

bed: faultbed ## one bed of NODES=5 with SEEDS=2, kept until Ctrl-C
	@exec $(FAULTBED) bed $(images) $(call flag,NODES,nodes) $(call flag,SEEDS,seeds) $(call flag,OUT,out)

compare: faultbed ## what differs between RUNS='out/<run> out/<run>'; fails if the last is worse than the first
	@exec $(FAULTBED) compare $(if $(MARKDOWN),--markdown) $(foreach run,$(RUNS),'$(subst ','\'',$(run))')

judge: faultbed ## judge RUN=out/<run> again by today's judges, without containers
	@exec $(FAULTBED) judge '$(subst ','\'',$(or $(RUN),out/latest))'

report: faultbed ## make the reports of RUN=out/<run> anew
	@exec $(FAULTBED) report '$(subst ','\'',$(or $(RUN),out/latest))'

clean: faultbed ## remove what killed runs left on the engine; DRY_RUN=1 lists, OLDER_THAN=1h spares
	@exec $(FAULTBED) clean $(if $(DRY_RUN),--dry-run) $(call flag,OLDER_THAN,older-than)

deadmen: faultbed ## kill N=40 runs at random moments (SEED=n) and look for what they leave; wants an idle engine, root for rules
	@exec $(FAULTBED) deadmen --kills '$(or $(N),40)' $(images) $(call flag,SEED,seed) $(call flag,OUT,out)

debug: faultbed ## scenarios one at a time, with the evidence of all
	@exec $(FAULTBED) run $(filters) $(if $(PROCS),,--procs 1) $(if $(EVIDENCE),,--evidence all) $(chosen)

soak: faultbed ## the suite N times over (default 10), a new seed each time
	@exec $(FAULTBED) run $(chosen) $(filters) --repeat '$(or $(N),10)'

lint: go ## golangci-lint in the version of .tools.mod
	@$(TOOL) golangci-lint run

generate: go ## generated code anew from its sources; wants protoc
	@mkdir -p $(BIN) && go build -modfile=.tools.mod -o $(BIN)/ google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc
	@PATH="$(CURDIR)/$(BIN):$$PATH" go generate ./...

verify: lint generate ## lint, a tidy go.mod, and generated code that is current
	@go mod tidy -diff
	@git diff --exit-code

go:
	@command -v go >/dev/null || { echo "faultbed: no go command: install Go 1.26 or newer: https://go.dev/dl" >&2; exit 3; }
	@go version >/dev/null 2>&1 || { echo "faultbed: this go is too old: install Go 1.26 or newer: https://go.dev/dl" >&2; exit 3; }

faultbed: go
	@[ -x $(FAULTBED) ] || echo "building faultbed, the first time takes longest"
	@go build -o $(FAULTBED) ./harness/cmd/faultbed
