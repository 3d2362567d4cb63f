package dragonfly

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/faultbed/faultbed/harness/topology"
)

// What the stores are to be run with: the database is there, empty, and this user may
// do all with it; the cache asks for a password.
const (
	DatabaseName     = "manager"
	DatabaseUser     = "dragonfly"
	DatabasePassword = "dragonfly"
	CachePassword    = "dragonfly"
)

// jwtKey signs the tokens of the manager's console. A manager does not start without.
const jwtKey = "ZHJhZ29uZmx5Cg=="

// The types below are the part of Dragonfly's configuration that is set here, in the
// order of its own documentation. Durations that are 0 are left to the release.

type managerConfig struct {
	Server struct {
		GRPC struct {
			Port portRange `yaml:"port"`
		} `yaml:"grpc"`
		REST struct {
			Addr string `yaml:"addr"`
		} `yaml:"rest"`
	} `yaml:"server"`
	Auth struct {
		JWT struct {
			Key string `yaml:"key"`
		} `yaml:"jwt"`
	} `yaml:"auth"`
	Database struct {
		MySQL mysql `yaml:"mysql"`
		Redis redis `yaml:"redis"`
	} `yaml:"database"`
	Cache   *managerCache `yaml:"cache,omitempty"`
	Metrics metrics       `yaml:"metrics"`
	Console bool          `yaml:"console"`
}

type mysql struct {
	User     string `yaml:"user"`
	Password string `yaml:"password"`
	Host     string `yaml:"host"`
	Port     int    `yaml:"port"`
	DBName   string `yaml:"dbname"`
	Migrate  bool   `yaml:"migrate"`
}

type redis struct {
	Addrs    []string `yaml:"addrs"`
	Password string   `yaml:"password"`
}

type managerCache struct {
	Redis struct {
		TTL time.Duration `yaml:"ttl"`
	} `yaml:"redis"`
	Local struct {
		TTL time.Duration `yaml:"ttl"`
	} `yaml:"local"`
}

type metrics struct {
	Enable bool   `yaml:"enable"`
	Addr   string `yaml:"addr"`
}

type schedulerConfig struct {
	Server struct {
		Port int `yaml:"port"`
		// Host is advertised beside the address. Without it the scheduler asks the
		// name server what its address is called, which is not the node's name.
		Host string `yaml:"host"`
	} `yaml:"server"`
	Scheduler *scheduling `yaml:"scheduler,omitempty"`
	Database  struct {
		Redis redis `yaml:"redis"`
	} `yaml:"database"`
	DynConfig *struct {
		RefreshInterval time.Duration `yaml:"refreshInterval"`
	} `yaml:"dynConfig,omitempty"`
	Manager struct {
		Addr      string     `yaml:"addr"`
		KeepAlive *keepAlive `yaml:"keepAlive,omitempty"`
	} `yaml:"manager"`
	SeedPeer struct {
		Enable              bool          `yaml:"enable"`
		TaskDownloadTimeout time.Duration `yaml:"taskDownloadTimeout,omitempty"`
	} `yaml:"seedPeer"`
	Host    where   `yaml:"host"`
	Metrics metrics `yaml:"metrics"`
	Console bool    `yaml:"console"`
}

type scheduling struct {
	RetryBackToSourceLimit int           `yaml:"retryBackToSourceLimit"`
	RetryLimit             int           `yaml:"retryLimit"`
	RetryInterval          time.Duration `yaml:"retryInterval"`
}

type keepAlive struct {
	Interval time.Duration `yaml:"interval"`
}

type where struct {
	Hostname string `yaml:"hostname,omitempty"`
	IDC      string `yaml:"idc"`
	Location string `yaml:"location"`
}

type daemonConfig struct {
	// AliveTime is when an idle daemon ends itself: never, if 0.
	AliveTime time.Duration   `yaml:"aliveTime"`
	Metrics   string          `yaml:"metrics"`
	Scheduler daemonScheduler `yaml:"scheduler"`
	Host      where           `yaml:"host"`
	Download  struct {
		PieceDownloadTimeout time.Duration `yaml:"pieceDownloadTimeout,omitempty"`
		GRPCDialTimeout      time.Duration `yaml:"grpcDialTimeout,omitempty"`
		WatchdogTimeout      time.Duration `yaml:"watchdogTimeout,omitempty"`
		PeerGRPC             listener      `yaml:"peerGRPC"`
	} `yaml:"download"`
	Upload listener `yaml:"upload"`
	Proxy  struct {
		listener `yaml:",inline"`
		Proxies  []proxyRule `yaml:"proxies"`
	} `yaml:"proxy"`
	Announcer *struct {
		SchedulerInterval time.Duration `yaml:"schedulerInterval"`
	} `yaml:"announcer,omitempty"`
	Console bool `yaml:"console"`
}

type daemonScheduler struct {
	Manager struct {
		Enable          bool          `yaml:"enable"`
		NetAddrs        []netAddr     `yaml:"netAddrs"`
		RefreshInterval time.Duration `yaml:"refreshInterval,omitempty"`
		SeedPeer        *seedPeer     `yaml:"seedPeer,omitempty"`
	} `yaml:"manager"`
	ScheduleTimeout time.Duration `yaml:"scheduleTimeout,omitempty"`
}

type netAddr struct {
	Type string `yaml:"type"`
	Addr string `yaml:"addr"`
}

type seedPeer struct {
	Enable    bool       `yaml:"enable"`
	Type      string     `yaml:"type"`
	ClusterID int        `yaml:"clusterID"`
	KeepAlive *keepAlive `yaml:"keepAlive,omitempty"`
}

type listener struct {
	TCPListen struct {
		Port portRange `yaml:"port"`
	} `yaml:"tcpListen"`
}

type portRange struct {
	Start int `yaml:"start"`
	End   int `yaml:"end"`
}

type proxyRule struct {
	// Regx, as Dragonfly spells it, is matched with the URL.
	Regx string `yaml:"regx"`
}

func exactly(port int) portRange { return portRange{port, port} }

func listenOn(port int) (l listener) {
	l.TCPListen.Port = exactly(port)
	return l
}

func metricsAddr() string { return fmt.Sprintf(":%d", metricsPort) }

func manager(p profile, database, cache string) ([]byte, error) {
	var c managerConfig
	c.Server.GRPC.Port = exactly(ManagerPort)
	c.Server.REST.Addr = fmt.Sprintf(":%d", ManagerRESTPort)
	c.Auth.JWT.Key = jwtKey
	c.Database.MySQL = mysql{User: DatabaseUser, Password: DatabasePassword, Host: database, Port: databasePort, DBName: DatabaseName, Migrate: true}
	c.Database.Redis = redis{[]string{fmt.Sprintf("%s:%d", cache, cachePort)}, CachePassword}
	if p.redisTTL > 0 {
		c.Cache = &managerCache{}
		c.Cache.Redis.TTL, c.Cache.Local.TTL = p.redisTTL, p.localTTL
	}
	c.Metrics = metrics{true, metricsAddr()}
	c.Console = true
	return yaml.Marshal(c)
}

func scheduler(r release, p profile, n topology.Node, manager, cache string) ([]byte, error) {
	var c schedulerConfig
	c.Server.Port = SchedulerPort
	c.Server.Host = n.Name
	if p.retryInterval > 0 {
		c.Scheduler = &scheduling{p.backToSource, p.retryLimit, p.retryInterval}
	}
	c.Database.Redis = redis{[]string{fmt.Sprintf("%s:%d", cache, cachePort)}, CachePassword}
	if p.schedulerRefresh > 0 {
		c.DynConfig = &struct {
			RefreshInterval time.Duration `yaml:"refreshInterval"`
		}{p.schedulerRefresh}
	}
	c.Manager.Addr = fmt.Sprintf("%s:%d", manager, ManagerPort)
	c.Manager.KeepAlive = every(p.keepAlive)
	c.SeedPeer.Enable = true
	if r.taskDownloadTimeout {
		c.SeedPeer.TaskDownloadTimeout = p.seedTask
	}
	c.Host = where{IDC: n.IDC, Location: n.Location}
	c.Metrics = metrics{true, metricsAddr()}
	c.Console = true
	return yaml.Marshal(c)
}

func daemon(p profile, n topology.Node, manager string) ([]byte, error) {
	var c daemonConfig
	c.Metrics = metricsAddr()
	m := &c.Scheduler.Manager
	m.Enable = true
	m.NetAddrs = []netAddr{{Type: "tcp", Addr: fmt.Sprintf("%s:%d", manager, ManagerPort)}}
	m.RefreshInterval = p.daemonRefresh
	if n.Role == topology.Seed {
		m.SeedPeer = &seedPeer{Enable: true, Type: "super", ClusterID: 1, KeepAlive: every(p.keepAlive)}
	}
	c.Scheduler.ScheduleTimeout = p.schedule
	c.Host = where{Hostname: n.Name, IDC: n.IDC, Location: n.Location}
	c.Download.PieceDownloadTimeout = p.piece
	c.Download.GRPCDialTimeout = p.dial
	c.Download.WatchdogTimeout = p.watchdog
	c.Download.PeerGRPC = listenOn(GRPCPort)
	c.Upload = listenOn(UploadPort)
	c.Proxy.listener = listenOn(ProxyPort)
	c.Proxy.Proxies = []proxyRule{{Regx: ".*"}}
	if p.announce > 0 {
		c.Announcer = &struct {
			SchedulerInterval time.Duration `yaml:"schedulerInterval"`
		}{p.announce}
	}
	c.Console = true
	return yaml.Marshal(c)
}

func every(interval time.Duration) *keepAlive {
	if interval == 0 {
		return nil
	}
	return &keepAlive{interval}
}
