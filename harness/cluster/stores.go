package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// The official images of the stores, as Dragonfly's own compose file names them.
const (
	officialDatabase = "mariadb:10.6"
	officialCache    = "redis:6-alpine"
)

// What the manager signs in with: user and password of the database of that name, and
// the password of the cache. images/stores/setup.sql has them too.
const (
	storeDatabase = "manager"
	storeUser     = "dragonfly"
	storePassword = "dragonfly"
)

// Store is one of the two that a Dragonfly manager keeps its state in: what to run.
type Store struct {
	Image string
	Cmd   []string // the whole command line, to be started instead of the image's own
	Env   map[string]string
}

// Stores are the database and the cache of a Dragonfly manager: MariaDB on 3306 and
// Redis on 6379. The official images are taken if the engine has them or else can pull
// them; the project's own, out of Debian's packages, if it is there already or nothing
// is to be pulled.
func (e *Engine) Stores(ctx context.Context, progress func(line string)) (database, cache Store, err error) {
	root, err := ModuleRoot()
	if err != nil {
		return Store{}, Store{}, err
	}
	own, err := storesImage(root)
	if err != nil {
		return Store{}, Store{}, err
	}
	official, err := preferOfficial(ctx, e, own.ref(), progress)
	if err != nil {
		return Store{}, Store{}, err
	}
	if official {
		database, cache = officialStores()
		return database, cache, nil
	}
	if err := e.buildStores(ctx, own, filepath.Join(root, "images", storesName), progress); err != nil {
		return Store{}, Store{}, err
	}
	database, cache = ownStores(own.ref())
	return database, cache, nil
}

// imageSource is an engine as far as the choice of stores needs one.
type imageSource interface {
	Image(ctx context.Context, ref string) (digest string, found bool, err error)
	Pull(ctx context.Context, ref string, progress func(string)) (bool, error)
}

// preferOfficial says whether the official images are there or could be pulled, both of
// them: else the own one is to be used, which holds both.
func preferOfficial(ctx context.Context, from imageSource, own string, progress func(string)) (bool, error) {
	var missing []string
	for _, ref := range []string{officialDatabase, officialCache} {
		_, found, err := from.Image(ctx, ref)
		if err != nil {
			return false, err
		}
		if !found {
			missing = append(missing, ref)
		}
	}
	if len(missing) == 0 {
		return true, nil
	}
	if _, found, err := from.Image(ctx, own); err != nil || found {
		return false, err
	}
	for _, ref := range missing {
		if pulled, err := from.Pull(ctx, ref, progress); err != nil || !pulled {
			return false, err
		}
	}
	return true, nil
}

// Flags of MariaDB. Nothing has to outlive a bed, and many beds share a machine: buffers
// are small and nothing is synced to a disk. What a killed server has written stays with
// the kernel, so a node that is killed and started again finds its data.
var (
	databaseFlags = []string{
		"--bind-address=0.0.0.0", "--port=3306", "--skip-name-resolve",
		"--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci",
		"--performance-schema=off", "--skip-log-bin", "--sync-binlog=0",
		"--max-connections=200", "--table-open-cache=400", "--table-open-cache-instances=1",
		"--key-buffer-size=64K", "--aria-pagecache-buffer-size=1M",
		"--innodb-buffer-pool-size=16M", "--innodb-log-buffer-size=2M",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-doublewrite=0",
		"--innodb-buffer-pool-dump-at-shutdown=0", "--innodb-buffer-pool-load-at-startup=0",
		"--innodb-use-native-aio=0", // io_uring is what many container engines forbid
	}
	// fileFlags say how large the files of the data directory are; images/stores/Dockerfile
	// lays them with the same.
	fileFlags = []string{
		"--innodb-data-file-path=ibdata1:5M:autoextend", "--innodb-autoextend-increment=1",
		"--innodb-temp-data-file-path=ibtmp1:3M:autoextend", "--innodb-log-file-size=4M",
	}
	// No snapshot, no journal: a cache that is started again is empty.
	cacheFlags = []string{
		"--port", "6379", "--bind", "0.0.0.0", "--protected-mode", "no",
		"--save", "", "--appendonly", "no", "--requirepass", storePassword,
	}
)

// officialStores start through the images' own entrypoints, which lay the data directory
// and then become the server.
func officialStores() (database, cache Store) {
	const entrypoint = "/usr/local/bin/docker-entrypoint.sh"
	database = Store{
		Image: officialDatabase,
		Cmd:   slices.Concat([]string{entrypoint, "mariadbd"}, databaseFlags, fileFlags),
		Env: map[string]string{
			"MARIADB_ROOT_PASSWORD": storePassword, "MARIADB_DATABASE": storeDatabase,
			"MARIADB_USER": storeUser, "MARIADB_PASSWORD": storePassword,
			"MARIADB_INITDB_SKIP_TZINFO": "1", // seconds of a start, for time zones by name
		},
	}
	cache = Store{Image: officialCache, Cmd: slices.Concat([]string{entrypoint, "redis-server"}, cacheFlags)}
	return database, cache
}

// ownStores start the servers themselves.
func ownStores(ref string) (database, cache Store) {
	const data = "/var/lib/mysql"
	database = Store{Image: ref, Cmd: slices.Concat([]string{
		"/usr/sbin/mariadbd", "--no-defaults", "--user=root",
		"--datadir=" + data, "--socket=" + data + "/mariadbd.sock", "--pid-file=" + data + "/mariadbd.pid",
	}, databaseFlags, fileFlags)}
	cache = Store{Image: ref, Cmd: slices.Concat([]string{"/usr/bin/redis-server"}, cacheFlags)}
	return database, cache
}

const (
	// storesName is the own image's folder under images/.
	storesName = "stores"
	// debian is the release whose packages the own image is made of; it is part of the tag.
	debian = "bookworm"
)

// storesImage is the own image as its recipe makes it. Its tag follows from the recipe
// and not from the packages, which may be newer tomorrow: what is there stays.
func storesImage(root string) (image, error) {
	dir := filepath.Join(root, "images", storesName)
	dockerfile, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		return image{}, fmt.Errorf("read image %s: %w", storesName, err)
	}
	r := recipe{name: storesName, dockerfile: dockerfile}
	for _, name := range []string{"packages", "paths", "setup.sql"} {
		r.files = append(r.files, filepath.Join(dir, name))
	}
	return newImage(r, debian, "")
}
