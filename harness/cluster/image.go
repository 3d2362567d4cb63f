package cluster

import "context"

// ImageSet is what was built or chosen, by the name a topology asks with:
// "peer@2.2.1" for roles that come in releases, "origin" for the others.
type ImageSet map[string]string

// DefaultRelease is what supernodes and peers run unless a topology says otherwise.
const DefaultRelease = "2.2.1"

// BuildImages builds what is under images/ as far as the engine lacks it, saying on
// progress what it does, and returns all of it.
func (e *Engine) BuildImages(ctx context.Context, progress func(line string)) (ImageSet, error) {
	panic("being written")
}
