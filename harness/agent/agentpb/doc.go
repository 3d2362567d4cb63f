// Package agentpb is the wire format between package agent and faultd,
// generated from agent.proto by protoc v3.21 with protoc-gen-go v1.36.12 and
// protoc-gen-go-grpc v1.6.2. A test of this package proves that it is current.
package agentpb

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative agent.proto
