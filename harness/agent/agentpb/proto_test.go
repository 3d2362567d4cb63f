package agentpb_test

import (
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/faultbed/faultbed/harness/agent/agentpb"
)

// The committed Go code must say what agent.proto says, word for word.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{"."}}),
	}
	files, err := compiler.Compile(t.Context(), "agent.proto")
	if err != nil {
		t.Fatalf("compile agent.proto: %v", err)
	}

	source := protodesc.ToFileDescriptorProto(files[0])
	generated := protodesc.ToFileDescriptorProto(agentpb.File_agent_proto)
	if difference := cmp.Diff(source, generated, protocmp.Transform()); difference != "" {
		t.Errorf("agent.pb.go is stale, run go generate ./harness/agent/agentpb (-proto +generated):\n%s", difference)
	}
}
