package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// recipe is one folder of images/: its Dockerfile and what that copies.
type recipe struct {
	name       string
	dockerfile []byte
	packages   []string // folders of images/ whose binaries it wants
	files      []string // paths of plain files, from the image's own folder
}

func readRecipes(root string, names []string) ([]recipe, error) {
	recipes := make([]recipe, 0, len(names))
	for _, name := range names {
		r, err := readRecipe(root, name)
		if err != nil {
			return nil, err
		}
		recipes = append(recipes, r)
	}
	return recipes, nil
}

// readRecipe reads images/<name>/Dockerfile. Each source of a COPY line is a file in
// the same folder, or else the name of a main package under images/.
func readRecipe(root, name string) (recipe, error) {
	dir := filepath.Join(root, "images", name)
	text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		return recipe{}, fmt.Errorf("read image %s: %w", name, err)
	}
	r := recipe{name: name, dockerfile: text}
	for number, line := range strings.Split(string(text), "\n") {
		sources, ok := copySources(line)
		if !ok {
			continue
		}
		for _, source := range sources {
			own := filepath.Join(dir, source)
			info, err := os.Stat(own)
			switch {
			case err == nil && info.Mode().IsRegular():
				r.files = append(r.files, own)
			case isPackage(filepath.Join(root, "images", source)):
				r.packages = append(r.packages, source)
			default:
				return recipe{}, fmt.Errorf("images/%s/Dockerfile:%d: %s is neither a file beside it nor a package under images/", name, number+1, source)
			}
		}
	}
	if len(r.packages) == 0 {
		return recipe{}, fmt.Errorf("images/%s/Dockerfile: copies no package under images/", name)
	}
	return r, nil
}

// copySources are the sources of a COPY line: all its words but flags and the last.
func copySources(line string) (sources []string, ok bool) {
	words := strings.Fields(line)
	if len(words) == 0 || !strings.EqualFold(words[0], "COPY") {
		return nil, false
	}
	words = slices.DeleteFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, "--") })
	if len(words) < 2 {
		return nil, false
	}
	return words[:len(words)-1], true
}

func isPackage(dir string) bool {
	sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
	return err == nil && len(sources) > 0
}

// packagesOf are the packages that recipes want, each once.
func packagesOf(recipes []recipe) []string {
	var all []string
	for _, r := range recipes {
		all = append(all, r.packages...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
