package bench

import (
	"bytes"
	"strconv"
)

// metric is the value of a metric without labels on a page of Prometheus' text format; 0
// where it is not there.
func metric(page []byte, name string) float64 {
	for line := range bytes.Lines(page) {
		words := bytes.Fields(line)
		if len(words) == 2 && string(words[0]) == name {
			value, err := strconv.ParseFloat(string(words[1]), 64)
			if err != nil {
				return 0
			}
			return value
		}
	}
	return 0
}
