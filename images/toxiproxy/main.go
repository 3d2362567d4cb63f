// Command toxiproxy is Shopify's toxiproxy server with four additions that a bed needs:
// links are created in one batch, each with a counting toxic in place before its
// listener opens (POST /links), the counts can be read while connections are
// still open (GET /ledger), it can start anew for the next bed (POST /restart), and there
// are a few more toxics. Everything else is toxiproxy's own API, on :8474.
package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/collectors"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

const apiAddr = ":8474"

func main() { control(apiAddr) }

// control serves the control API until the process is told to end.
func control(addr string) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)

	server := &http.Server{Addr: addr, Handler: handler(), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case <-stop:
	case err := <-failed:
		slog.Error("serve the control API", "addr", addr, "error", err)
		os.Exit(1)
	}
}

// handler is toxiproxy's API plus the batch of links and the live ledger.
func handler() http.Handler {
	for name, toxic := range map[string]toxics.Toxic{
		"ledger": new(ledgerToxic), "stall": new(stallToxic), "garble": new(garbleToxic),
		"deaf": new(deafToxic), "hang_up": new(hangUpToxic),
	} {
		toxics.Register(name, toxic)
	}
	// Toxiproxy logs every chunk at trace level unless told otherwise.
	logger := zerolog.New(os.Stdout).With().Timestamp().Logger().Level(zerolog.WarnLevel)
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), logger)
	server.Metrics.ProxyMetrics = collectors.NewProxyMetricCollectors()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /links", func(w http.ResponseWriter, r *http.Request) { addLinks(server, w, r) })
	mux.HandleFunc("GET /ledger", showLedger)
	mux.HandleFunc("POST /restart", restart)
	mux.Handle("/", server.Routes())
	return mux
}

// link is a proxy to be: a listener for one client's way to one port of one server.
type link struct {
	Name     string `json:"name"`
	Listen   string `json:"listen"`
	Upstream string `json:"upstream"`
}

// addLinks starts all links of the request. The counting toxics are in the chain
// before the listener opens, so no connection goes uncounted.
func addLinks(server *toxiproxy.ApiServer, w http.ResponseWriter, r *http.Request) {
	var links []link
	if err := json.NewDecoder(r.Body).Decode(&links); err != nil {
		http.Error(w, fmt.Sprintf("decode links: %v", err), http.StatusBadRequest)
		return
	}
	for _, l := range links {
		proxy := toxiproxy.NewProxy(server, l.Name, l.Listen, l.Upstream)
		for stream, up := range map[string]bool{"upstream": true, "downstream": false} {
			spec := fmt.Sprintf(`{"name":"ledger-%s","type":"ledger","stream":%q,"attributes":{"link":%q,"up":%t}}`, stream, stream, l.Name, up)
			if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(spec)); err != nil {
				http.Error(w, fmt.Sprintf("count on link %s: %v", l.Name, err), http.StatusInternalServerError)
				return
			}
		}
		if err := server.Collection.Add(proxy, true); err != nil {
			http.Error(w, fmt.Sprintf("start link %s: %v", l.Name, err), http.StatusConflict)
			return
		}
	}
	w.WriteHeader(http.StatusCreated)
}

// restart puts a new process of this program in the place of this one: execve(2) closes every
// connection and listener, and forgets what a toxic that hangs in a write still holds. The
// answer is the end of the connection, or why there is no new process.
func restart(w http.ResponseWriter, _ *http.Request) {
	self, err := os.Executable()
	if err == nil {
		err = syscall.Exec(self, os.Args, os.Environ())
	}
	http.Error(w, fmt.Sprintf("start anew: %v", err), http.StatusInternalServerError)
}

// showLedger answers with the counts of every link that was ever used.
func showLedger(w http.ResponseWriter, _ *http.Request) {
	type row struct {
		Up    int64 `json:"up"`
		Down  int64 `json:"down"`
		Conns int64 `json:"conns"`
	}
	rows := map[string]row{}
	books.Range(func(name, c any) bool {
		n := c.(*count)                                                       //nolint:forcetypeassert // only counts are stored
		rows[name.(string)] = row{n.Up.Load(), n.Down.Load(), n.Conns.Load()} //nolint:forcetypeassert // keys are names
		return true
	})
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(rows); err != nil {
		slog.Warn("send ledger", "error", err)
	}
}
