package pb_test

import (
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/faultbed/faultbed/images/swarm/pb"
)

// Seen red by adding a field to swarm.proto without generating again.
func TestGeneratedCodeIsCurrent(t *testing.T) {
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{ImportPaths: []string{"."}}}
	files, err := compiler.Compile(t.Context(), "swarm.proto")
	if err != nil {
		t.Fatalf("compile swarm.proto: %v", err)
	}
	want := protodesc.ToFileDescriptorProto(files[0])
	got := protodesc.ToFileDescriptorProto(pb.File_swarm_proto)
	want.SourceCodeInfo, got.SourceCodeInfo = nil, nil
	if !proto.Equal(want, got) {
		t.Errorf("generated code is not that of swarm.proto (run go generate): %s", cmp.Diff(want, got, protocmp.Transform()))
	}
}
