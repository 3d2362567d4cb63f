package cluster

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/client"
)

// image is one image with all that goes into it, and the name that follows from it.
type image struct {
	recipe  recipe
	release string
	variant string   // empty for the project's own
	context []string // paths of its files besides the Dockerfile, in order
	hash    string   // 12 hex digits over the Dockerfile and those files
}

func newImage(r recipe, release, bin string) (image, error) {
	i := image{recipe: r, release: release}
	for _, p := range r.packages {
		i.context = append(i.context, filepath.Join(bin, p))
	}
	i.context = append(i.context, r.files...)
	sum := sha256.New()
	sum.Write(r.dockerfile)
	for _, path := range i.context {
		if err := hashFile(sum, path); err != nil {
			return image{}, fmt.Errorf("hash image %s: %w", r.name, err)
		}
	}
	i.hash = hex.EncodeToString(sum.Sum(nil))[:12]
	return i, nil
}

// hashFile adds a file's name, length and content to sum: the length keeps two files
// from passing for one.
func hashFile(sum io.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(sum, "\x00%s\x00", filepath.Base(path)); err != nil {
		return err
	}
	if err := binary.Write(sum, binary.BigEndian, info.Size()); err != nil {
		return err
	}
	_, err = io.Copy(sum, file)
	return err
}

// key is the name that a topology asks for the image with.
func (i image) key() string {
	if i.release == "" {
		return i.recipe.name
	}
	return i.recipe.name + "@" + i.release
}

func (i image) ref() string {
	switch {
	case i.release == "":
		return fmt.Sprintf("faultbed/%s:%s", i.recipe.name, i.hash)
	case i.variant != "":
		return fmt.Sprintf("faultbed/%s:%s-%s-%s", i.recipe.name, i.release, i.variant, i.hash)
	default:
		return fmt.Sprintf("faultbed/%s:%s-%s", i.recipe.name, i.release, i.hash)
	}
}

// labels are what the image carries. A variant has labels of its own, in its Dockerfile,
// and none that says it is built from images/: it supersedes no image of the project.
func (i image) labels() map[string]string {
	if i.variant != "" {
		return nil
	}
	return map[string]string{LabelImage: i.recipe.name}
}

// ensure builds the image unless the engine has it.
func (e *Engine) ensure(ctx context.Context, i image, progress func(string)) error {
	_, found, err := e.Image(ctx, i.ref())
	if err != nil || found {
		return err
	}
	start := time.Now()
	body, writer := io.Pipe()
	go func() { writer.CloseWithError(i.pack(writer)) }()
	result, err := e.client.ImageBuild(ctx, body, client.ImageBuildOptions{
		Tags: []string{i.ref()}, Labels: i.labels(),
		Version: build.BuilderV1, Remove: true, ForceRemove: true,
		// What is removed when it has served takes with it what it was made of, also from under
		// another run that builds the same: nothing of a variant is shared.
		NoCache: i.variant != "",
	})
	_ = body.Close() // ends pack when the engine has not read all
	if err != nil {
		return fmt.Errorf("build image %s: %w", i.key(), err)
	}
	err = errors.Join(buildOutcome(result.Body), result.Body.Close())
	if err != nil {
		return fmt.Errorf("build image %s: %w", i.key(), err)
	}
	progress(fmt.Sprintf("building %s ... %s", strings.TrimSpace(i.recipe.name+" "+i.release), seconds(time.Since(start))))
	return nil
}

// pack writes the build context, the same bytes for the same content.
func (i image) pack(to io.Writer) error {
	out := tar.NewWriter(to)
	if err := out.WriteHeader(&tar.Header{Name: "Dockerfile", Mode: 0o644, Size: int64(len(i.recipe.dockerfile))}); err != nil {
		return err
	}
	if _, err := out.Write(i.recipe.dockerfile); err != nil {
		return err
	}
	for _, path := range i.context {
		if err := packFile(out, path); err != nil {
			return err
		}
	}
	return out.Close()
}

func packFile(out *tar.Writer, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header := tar.Header{Name: filepath.Base(path), Mode: int64(info.Mode().Perm()), Size: info.Size()}
	if err := out.WriteHeader(&header); err != nil {
		return err
	}
	_, err = io.Copy(out, file)
	return err
}

// buildOutcome reads the stream of a build to its end; what fails inside a build is
// said there and not in the answer's status.
func buildOutcome(stream io.Reader) error {
	decoder := json.NewDecoder(stream)
	for {
		var message struct{ Error string }
		err := decoder.Decode(&message)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the engine's answer: %w", err)
		}
		if message.Error != "" {
			return errors.New(strings.TrimSpace(message.Error))
		}
	}
}
