// Package pb is the wire protocol of the reference swarm, generated from swarm.proto.
// A test compares the two, so they cannot drift apart.
package pb

//go:generate go run github.com/bufbuild/buf/cmd/buf@v1.75.0 generate
