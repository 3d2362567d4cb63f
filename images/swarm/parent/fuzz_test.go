package parent

import "testing"

// Sharing of locations is mutual, bounded, and whole only between equals.
func FuzzShared(f *testing.F) {
	for _, pair := range [][2]string{{"", ""}, {"fi", "FI"}, {"fi|hel", "fi|tmp"}, {"a|b|c|d|e|f", "a|b|c|d|e|g"}, {"|", "||"}, {"a|b", "a|b|c"}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		n := shared(a, b)
		if n < 0 || n > maxDepth || n != shared(b, a) {
			t.Errorf("%q and %q share %d, the other way %d", a, b, n, shared(b, a))
		}
		if own := shared(a, a); (a != "") != (own == maxDepth) || own < n && a != "" {
			t.Errorf("%q shares %d with itself, %d with %q", a, own, n, b)
		}
		if b != "" && a != "" && shared(a+"|"+b, a) == 0 {
			t.Errorf("%q shares nothing with what it is in", a)
		}
	})
}
