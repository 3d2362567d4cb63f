// Package kernel changes and reads the network namespaces and main processes of
// nodes: steering, packet rules, rates, names, offloads, MTU, descriptor limits, idle
// connections, disks, probes. It is the only package that knows nftables, netlink and ethtool, runs inside
// faultd (images/faultd), and never touches the namespace that it runs in.
//
// A node is a *Namespace. What is in force under an owner's name, so that it can be
// undone exactly, is kept by books, one a kind: Rulebook (packet rules), Shapes (rates),
// Spoofs (names), Offloads, Hogs (idle connections) and Fills (disks).
//
//	node, err := kernel.Open("peer-1", pid)
//	...
//	defer node.Close()
//	err = node.Steer(kernel.Steering{Routes: routes, Nodes: others})
//
// A Switch is a network for nodes that were started without one.
//
// Everything acts through a handle on the namespace, not through the calling
// thread; where the kernel offers no such handle (sockets) a thread enters the
// namespace and is thrown away afterwards. A program that uses this package
// should lock its main goroutine to the main thread (runtime.LockOSThread in an
// init function), because the main thread cannot be thrown away.
//
// It is for Linux; elsewhere it is empty.
package kernel
