package harness

import (
	"testing"

	"github.com/faultbed/faultbed/harness/history"
)

func TestSamplesStayFewHoweverLongAScenarioTakes(t *testing.T) {
	pace := SampleEvery.Milliseconds()
	var samples []history.Sample
	for at := pace; at <= 3600_000; at += pace {
		samples = thin(samples, history.Sample{AtMS: at})
		if len(samples) > samplesAtMost {
			t.Fatalf("%d samples after %d ms, want at most %d", len(samples), at, samplesAtMost)
		}
		if last := samples[len(samples)-1].AtMS; at-last > 3600_000/samplesAtMost*3 {
			t.Fatalf("at %d ms the last sample is that of %d ms", at, last)
		}
	}
	if samples[0].AtMS != pace || len(samples) < samplesAtMost/2 {
		t.Errorf("%d samples from %d ms on, want the first and many", len(samples), samples[0].AtMS)
	}
	for i := 1; i < len(samples); i++ {
		if d := samples[i].AtMS - samples[i-1].AtMS; d < pace || d > 80*pace {
			t.Errorf("samples %d and %d are %d ms apart", i-1, i, d)
		}
	}
}
