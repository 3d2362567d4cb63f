package main

import (
	"io"
	"os"
	"path"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"
)

// progress draws a bar of the bytes that have come, if out is a terminal, and nothing
// otherwise: what is in a log or a pipe is read by programs.
func progress(out io.Writer, url string) (tell func(come, total int64), done func()) {
	file, ok := out.(*os.File)
	if !ok || !isatty.IsTerminal(file.Fd()) {
		return nil, func() {}
	}
	return bar(out, path.Base(url))
}

// bar is drawn from the first byte on whose file's length is known.
func bar(out io.Writer, name string) (tell func(come, total int64), done func()) {
	var b *progressbar.ProgressBar
	tell = func(come, total int64) {
		if total < 0 {
			return
		}
		if b == nil {
			b = progressbar.NewOptions64(total,
				progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(name), progressbar.OptionShowBytes(true),
				progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond),
				progressbar.OptionUseANSICodes(true))
		}
		_ = b.Set64(come)
	}
	return tell, func() {
		if b != nil {
			_ = b.Exit()
			_, _ = io.WriteString(out, "\n")
		}
	}
}
