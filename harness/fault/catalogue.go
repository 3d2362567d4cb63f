package fault

// Entry is a kind of fault, for those who choose one.
type Entry struct {
	Kind string
	Does string
	// Needs are capabilities without which it, or one of its variants, is not available.
	Needs []string
	// Never is why it cannot be had at all.
	Never string
}

// Catalogue is every kind of fault, by what it acts on.
var Catalogue = []Entry{
	{Kind: "drop", Does: "packets vanish"},
	{Kind: "refuse", Does: "packets are answered by a reset, or by ICMP unreachable of each kind"},
	{Kind: "block-port", Does: "drop or refuse, of ports"},
	{Kind: "loss", Does: "packets are lost by chance, alone or in bursts", Needs: []string{"nft-numgen", "nft-ct-mark", "offloads"}},
	{Kind: "drop-list", Does: "the n-th packets of a connection are lost", Needs: []string{"nft-ct-mark", "offloads"}},
	{Kind: "duplicate", Does: "packets come twice", Needs: []string{"nft-dup", "offloads"}},
	{Kind: "corrupt", Does: "packets fail their checksum", Needs: []string{"nft-numgen", "nft-payload-write", "offloads"}},
	{Kind: "mtu", Does: "long packets vanish, or are told to be too long", Needs: []string{"offloads", "nft-payload-write"}},
	{Kind: "clamp", Does: "an interface has another MTU"},
	{Kind: "rate", Does: "a link carries so many bytes a second", Needs: []string{"htb", "tbf", "offloads"}},
	{Kind: "partition", Does: "sets of nodes do not hear each other, or only one way"},
	{Kind: "udp-block", Does: "datagrams to some ports vanish"},

	{Kind: "delay", Does: "what is sent comes later"},
	{Kind: "bandwidth", Does: "a connection carries so many bytes a second"},
	{Kind: "slice", Does: "what is sent comes in small pieces"},
	{Kind: "slow-close", Does: "the end of a connection is told later"},
	{Kind: "reset", Does: "connections are reset, at once or after n bytes"},
	{Kind: "limit-data", Does: "connections are closed after n bytes"},
	{Kind: "stall", Does: "connections stay open, and nothing passes until it is healed"},
	{Kind: "half-open", Does: "the server's end is gone, and the client is not told"},
	{Kind: "garble", Does: "bits flip, and no checksum tells"},

	{Kind: "dns-fail", Does: "names are not found, or nobody answers"},
	{Kind: "dns-wrong", Does: "names lead elsewhere"},
	{Kind: "dns-slow", Does: "names are found late"},

	{Kind: "unreachable", Does: "nodes are dropped, refused, paused or killed"},
	{Kind: "pause", Does: "processes are frozen"},
	{Kind: "kill", Does: "processes are killed, and started again when healed"},
	{Kind: "stop", Does: "processes are told to end, and started again when healed"},
	{Kind: "restart", Does: "processes are stopped and started again"},
	{Kind: "fd-limit", Does: "processes have few file descriptors left"},
	{Kind: "fd-hog", Does: "idle connections are held against a port"},
	{Kind: "cpu-starve", Does: "processes get a fraction of a core", Needs: []string{"cgroup-cpu"}},
	{Kind: "memory-limit", Does: "processes may hold so much memory", Needs: []string{"cgroup-memory"}},
	{Kind: "disk-full", Does: "the disk for pieces has no room"},

	{Kind: "disk-slow", Never: "a container's store is on the engine's overlay or on a tmpfs, and cgroups bound neither: version 1 bounds direct I/O of block devices only, version 2 no file system in memory"},
	{Kind: "clock-skew", Never: "a time namespace shifts the monotonic clocks only, and a static binary reads the real one without asking anybody who could lie to one container alone (time_namespaces(7), vdso(7))"},
}
