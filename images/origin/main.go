// Command origin is the web server that files come from. It makes their content
// from their names, serves ranges, can be slowed, and counts what it serves to whom.
//
//	GET /files/<name>               a file of the fixtures
//	GET /files/<name>?fault=<kind>  the same, and the origin misbehaves; kinds are
//	                                404, 403, 500, close-early, lies-long, lies-short, changing,
//	                                no-ranges, silent, html, redirect, loop: see package trouble
//	GET /stats                      what was served, by client and by file
//	GET /healthy, /probe?bytes=<n>  path tests
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// headerTimeout bounds how long a client may take to say what it wants.
const headerTimeout = 5 * time.Second

func main() {
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "origin:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var listen string
	var rate int64
	var delay time.Duration
	cmd := &cobra.Command{
		Use: "origin", Short: "Web server of the fixtures",
		Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if rate < 0 || delay < 0 {
				return errors.New("rate and delay must not be negative")
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return serve(ctx, listen, newOrigin(rate, delay).routes())
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", ":80", "address of HTTP")
	f.Int64Var(&rate, "rate", 0, "bytes per second of each response, 0 for no limit")
	f.DurationVar(&delay, "delay", 0, "wait before each answer to a request for a file")
	return cmd
}

func serve(ctx context.Context, listen string, handler http.Handler) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w", listen, err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
