package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"
)

// Kinds of leftovers.
const (
	KindContainer = "container"
	KindNetwork   = "network"
	KindImage     = "image"
	KindVolume    = "volume"
)

// removeAtOnce is how many removals the engine is asked for side by side. More
// gains nothing: it takes its network lock for each.
const removeAtOnce = 8

// startWithin is how long a session may take from creating its faultd, or the network for
// it, to having it run. One that took longer was killed in between.
const startWithin = time.Minute

// How often and how long a network is tried that still has containers on it.
const (
	detachEvery  = 200 * time.Millisecond
	detachWithin = 5 * time.Second
)

// Leftover is one thing on the engine that carries a session's label.
type Leftover struct {
	Kind    string
	ID      string
	Name    string
	Session string
	Role    string
	Bed     string // empty for what belongs to no bed
	Created time.Time
	Running bool // or about to; of networks, faultd's own for a while; of a variant's image, held
}

// Leftovers lists the containers and networks of all sessions, live ones too.
// Containers come first: networks cannot go before them.
func (e *Engine) Leftovers(ctx context.Context) ([]Leftover, error) {
	return e.list(ctx, client.Filters{}.Add("label", LabelSession))
}

// Objects lists all containers, networks and volumes of the engine, whoever made them.
// Volumes carry no label of ours: they go with their containers.
func (e *Engine) Objects(ctx context.Context) ([]Leftover, error) {
	all, err := e.list(ctx, client.Filters{})
	if err != nil {
		return nil, err
	}
	volumes, err := e.client.VolumeList(ctx, client.VolumeListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	for _, v := range volumes.Items {
		all = append(all, Leftover{Kind: KindVolume, ID: v.Name, Name: v.Name, Session: v.Labels[LabelSession]})
	}
	return all, nil
}

func (e *Engine) list(ctx context.Context, filters client.Filters) ([]Leftover, error) {
	containers, err := e.client.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filters})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	networks, err := e.client.NetworkList(ctx, client.NetworkListOptions{Filters: filters})
	if err != nil {
		return nil, fmt.Errorf("list networks: %w", err)
	}
	var all []Leftover
	for _, c := range containers.Items {
		name := c.ID[:12]
		if len(c.Names) > 0 {
			name = strings.TrimPrefix(c.Names[0], "/")
		}
		created := time.Unix(c.Created, 0)
		all = append(all, Leftover{
			Kind: KindContainer, ID: c.ID, Name: name, Created: created,
			Session: c.Labels[LabelSession], Role: c.Labels[LabelRole], Bed: c.Labels[LabelBed],
			Running: running(c.State, time.Since(created)),
		})
	}
	for _, n := range networks.Items {
		role := n.Labels[LabelRole]
		all = append(all, Leftover{
			Kind: KindNetwork, ID: n.ID, Name: n.Name, Created: n.Created,
			Session: n.Labels[LabelSession], Role: role, Bed: n.Labels[LabelBed],
			Running: role == RoleFaultd && time.Since(n.Created) < startWithin, // its container is to come
		})
	}
	return all, nil
}

func running(state container.ContainerState, age time.Duration) bool {
	switch state {
	case container.StateRunning, container.StatePaused, container.StateRestarting:
		return true
	case container.StateCreated:
		return age < startWithin
	default:
		return false
	}
}

// Dead keeps what belongs to sessions that nobody holds any more: those without a
// running faultd, which lives exactly as long as its session.
func Dead(all []Leftover) []Leftover {
	live := map[string]bool{}
	for _, l := range all {
		if l.Role == RoleFaultd && l.Running {
			live[l.Session] = true
		}
	}
	var dead []Leftover
	for _, l := range all {
		if !live[l.Session] {
			dead = append(dead, l)
		}
	}
	return dead
}

// StaleImages lists the images built from images/ that a newer one of the same name
// and release has superseded, and those of variants that nobody holds any more; with all
// also of variants that are held.
func (e *Engine) StaleImages(ctx context.Context, all bool) ([]Leftover, error) {
	variants, err := e.variants(ctx, client.Filters{}.Add("label", LabelVariant))
	if err != nil {
		return nil, err
	}
	abandoned := slices.DeleteFunc(variants, func(l Leftover) bool { return l.Running && !all })
	images, err := e.client.ImageList(ctx, client.ImageListOptions{Filters: client.Filters{}.Add("label", LabelImage)})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	var own []Leftover
	for _, i := range images.Items {
		for _, tag := range i.RepoTags {
			own = append(own, Leftover{Kind: KindImage, ID: tag, Name: tag, Created: time.Unix(i.Created, 0)})
		}
	}
	return append(superseded(own), abandoned...), nil
}

// superseded keeps all but the newest of each name and release.
func superseded(images []Leftover) []Leftover {
	newest := map[string]Leftover{}
	for _, i := range images {
		if k := kindOfImage(i.Name); newest[k].Name == "" || i.Created.After(newest[k].Created) {
			newest[k] = i
		}
	}
	return slices.DeleteFunc(slices.Clone(images), func(i Leftover) bool {
		return newest[kindOfImage(i.Name)].Name == i.Name
	})
}

// kindOfImage is a tag without its hash: "faultbed/peer:2.2.1", "faultbed/origin:".
func kindOfImage(tag string) string {
	return tag[:max(strings.LastIndexByte(tag, ':')+1, strings.LastIndexByte(tag, '-'))]
}

// Remove takes containers away, running or not and with their volumes, then networks
// and images. What is gone already, or being removed by somebody else, is no error,
// nor is an image that a container still needs.
func (e *Engine) Remove(ctx context.Context, leftovers []Leftover) error {
	containers := e.removeAll(ctx, leftovers, KindContainer, func(ctx context.Context, id string) error {
		_, err := e.client.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		return err
	})
	networks := e.removeAll(ctx, leftovers, KindNetwork, e.removeNetwork)
	images := e.removeAll(ctx, leftovers, KindImage, func(ctx context.Context, tag string) error {
		_, err := e.client.ImageRemove(ctx, tag, client.ImageRemoveOptions{PruneChildren: true})
		if errdefs.IsConflict(err) {
			return nil
		}
		return err
	})
	return errors.Join(containers, networks, images)
}

// removeNetwork tries again for a while when containers are still attached: somebody
// else may be in the middle of removing them.
func (e *Engine) removeNetwork(ctx context.Context, id string) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		_, err := e.client.NetworkRemove(ctx, id, client.NetworkRemoveOptions{})
		if err != nil && !strings.Contains(err.Error(), "active endpoints") {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(backoff.NewConstantBackOff(detachEvery)), backoff.WithMaxElapsedTime(detachWithin))
	return err
}

func (e *Engine) removeAll(ctx context.Context, leftovers []Leftover, kind string, remove func(context.Context, string) error) error {
	var work errgroup.Group
	work.SetLimit(removeAtOnce)
	failed := make([]error, len(leftovers))
	beds := map[string][]int{} // those of one bed one after the other, see Network
	for i, l := range leftovers {
		if l.Kind == kind {
			bed := cmp.Or(l.Bed, l.ID)
			beds[bed] = append(beds[bed], i)
		}
	}
	for _, together := range beds {
		work.Go(func() error {
			for _, i := range together {
				l := leftovers[i]
				if err := remove(ctx, l.ID); err != nil && !goneOrGoing(err) {
					failed[i] = fmt.Errorf("remove %s %s: %w", l.Kind, l.Name, err)
				}
			}
			return nil
		})
	}
	_ = work.Wait() // its functions keep their errors in failed, all of them
	return errors.Join(failed...)
}

func goneOrGoing(err error) bool {
	return errdefs.IsNotFound(err) ||
		errdefs.IsConflict(err) && strings.Contains(err.Error(), "already in progress")
}
