package daemon

import "sync"

// buffers are for the content of a piece on its way, 1 MiB of most: made anew for each
// piece they would be most of what a busy peer allocates, and clears.
var buffers sync.Pool

// takeBuffer returns one of n bytes, whatever is in them; give it back with giveBuffer
// once nobody looks at it any more.
func takeBuffer(n int64) *[]byte {
	b, ok := buffers.Get().(*[]byte)
	if !ok || int64(cap(*b)) < n {
		fresh := make([]byte, n)
		return &fresh
	}
	*b = (*b)[:n]
	return b
}

func giveBuffer(b *[]byte) { buffers.Put(b) }
