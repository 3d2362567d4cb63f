package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/faultbed/faultbed/images/swarm"
	"github.com/faultbed/faultbed/images/swarm/daemon"
	"github.com/faultbed/faultbed/images/swarm/piece"
)

const (
	// joinWithin bounds one peer's way to its first piece.
	joinWithin = 20 * time.Second
	// lookEvery is how often a peer is asked whether it holds a piece: the error of a time.
	lookEvery = 500 * time.Microsecond
)

// Joins is the answer of /join: from the start of a peer that knows nobody to its first
// piece, and for comparison a GET of a piece of the same file on a new connection.
type Joins struct {
	JoinMS []float64 `json:"join_ms"`
	GetMS  []float64 `json:"get_ms"`
}

// join lets n peers join one after the other and get url; from is host:port of the pieces
// of a seed. One more goes before them, so that the seed has the file.
func (c *crowd) join(ctx context.Context, n int, rawURL, from string) (Joins, error) {
	took := Joins{JoinMS: []float64{}, GetMS: []float64{}}
	get := fmt.Sprintf("http://%s/tasks/%s/pieces/0", from, piece.TaskID(rawURL, ""))
	for i := range n + 1 {
		joined, err := c.joinOnce(ctx, i, rawURL)
		if err != nil {
			return took, fmt.Errorf("join %d: %w", i, err)
		}
		got, err := plainGet(ctx, get)
		if err != nil {
			return took, fmt.Errorf("get a piece from %s: %w", from, err)
		}
		if i > 0 {
			took.JoinMS = append(took.JoinMS, float64(joined.Microseconds())/1000)
			took.GetMS = append(took.GetMS, float64(got.Microseconds())/1000)
		}
	}
	return took, nil
}

func (c *crowd) joinOnce(ctx context.Context, i int, rawURL string) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, joinWithin)
	defer cancel()
	dir, err := filepath.Abs(fmt.Sprintf("join-%d", i))
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	d, err := daemon.New(daemon.Config{
		Hostname: fmt.Sprintf("join-%d", i), AdvertiseIP: c.ip, GRPC: ":0", Proxy: ":0", Pieces: ":0", Status: ":0",
		Supernodes: []string{c.supernode}, IDC: "a", Location: "earth|a", Profile: c.profile, Release: swarm.Release,
		DataDir: dir, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return 0, err
	}
	ended, life := make(chan error, 1), context.WithoutCancel(ctx)
	life, stop := context.WithCancel(life)
	began := time.Now()
	go func() { ended <- d.Run(life) }()
	defer func() {
		stop()
		if failed := <-ended; err == nil {
			err = failed
		}
	}()
	go request(ctx, rawURL, d.Host().GetProxyPort()) // Snapshot shows whether it does its work
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		for _, t := range d.Snapshot().Tasks {
			if t.Held > 0 {
				return time.Since(began), nil
			}
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("no piece within %s: %w; the peer says %+v", joinWithin, ctx.Err(), d.Snapshot())
		}
	}
}

// request asks for a file through a peer's proxy port.
func request(ctx context.Context, rawURL string, port int32) {
	proxy := &url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true}}
	_ = read(ctx, client, rawURL)
}

// plainGet times one GET on a connection of its own.
func plainGet(ctx context.Context, rawURL string) (time.Duration, error) {
	began := time.Now()
	err := read(ctx, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, rawURL)
	return time.Since(began), err
}

func read(ctx context.Context, client *http.Client, rawURL string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
