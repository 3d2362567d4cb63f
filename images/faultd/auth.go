//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// guard lets calls in that carry the session's token, while the lease lasts.
type guard struct {
	// want is a digest, so that comparing takes the same time for any length.
	want  [sha256.Size]byte
	lease *lease
}

func newGuard(token string, lease *lease) *guard {
	return &guard{want: sha256.Sum256([]byte("Bearer " + token)), lease: lease}
}

func (g *guard) admit(ctx context.Context) error {
	fields, _ := metadata.FromIncomingContext(ctx)
	given := fields.Get("authorization")
	if len(given) != 1 {
		return status.Error(codes.Unauthenticated, "faultd: the call carries no token")
	}
	got := sha256.Sum256([]byte(given[0]))
	if subtle.ConstantTimeCompare(got[:], g.want[:]) != 1 {
		return status.Error(codes.Unauthenticated, "faultd: the token is not this session's")
	}
	if g.lease.Over() {
		return status.Error(codes.Unavailable, "faultd: the lease has run out, the session is being removed")
	}
	return nil
}

func (g *guard) unary(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := g.admit(ctx); err != nil {
		return nil, err
	}
	return handle(ctx, request)
}

func (g *guard) stream(server any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := g.admit(stream.Context()); err != nil {
		return err
	}
	return handle(server, stream)
}
