// Command crowd is many peers in one process, for measuring what they cost a supernode
// and how long one takes to join. It is told what to do over HTTP:
//
//	GET /grow?to=1000                 simulated peers register until there are so many
//	GET /join?n=20&url=...&from=...   real peers join, one after the other, and get a file
//
// A simulated peer registers, announces itself and answers when it is called back; it
// holds and wants nothing.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/faultbed/faultbed/images/swarm/timers"
)

// headerTimeout bounds how long a caller may take to say what it wants.
const headerTimeout = 5 * time.Second

func main() {
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "crowd:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var c crowd
	var listen, profile string
	cmd := &cobra.Command{
		Use: "crowd", Short: "Many peers in one process", Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.profile, err = timers.ByName(profile); err != nil {
				return err
			}
			if c.supernode == "" || net.ParseIP(c.ip) == nil {
				return errors.New("--supernode and --advertise-ip are needed")
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return serve(ctx, listen, &c)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", ":80", "address of the HTTP that says what to do")
	f.StringVar(&c.supernode, "supernode", "", "host:port of the supernode")
	f.StringVar(&c.ip, "advertise-ip", "", "own address, which all peers state")
	f.StringVar(&profile, "profile", timers.Production.Name, "timers: fast or production")
	return cmd
}

func serve(ctx context.Context, listen string, c *crowd) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", listen, err)
	}
	if err := c.open(ctx); err != nil {
		return err
	}
	server := &http.Server{Handler: c.routes(), ReadHeaderTimeout: headerTimeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

func (c *crowd) routes() http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	number := func(r *http.Request, name string) (int, error) {
		n, err := strconv.Atoi(r.URL.Query().Get(name))
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%s must be a whole number, got %q", name, r.URL.Query().Get(name))
		}
		return n, nil
	}
	mux.HandleFunc("GET /healthy", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /grow", func(w http.ResponseWriter, r *http.Request) {
		to, err := number(r, "to")
		if err == nil {
			err = c.grow(r.Context(), to)
		}
		answer(w, c.grown(), err)
	})
	mux.HandleFunc("GET /join", func(w http.ResponseWriter, r *http.Request) {
		n, err := number(r, "n")
		var took Joins
		if err == nil {
			took, err = c.join(r.Context(), n, r.URL.Query().Get("url"), r.URL.Query().Get("from"))
		}
		answer(w, took, err)
	})
	return mux
}
