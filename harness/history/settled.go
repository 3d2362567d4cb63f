package history

// Limits are what the system's own timers allow it: what budgets are made of. See
// system.Bounds for each.
type Limits struct {
	ReadyMS      int64 `json:"ready_ms"`
	NoticeMS     int64 `json:"notice_ms"`
	DropMS       int64 `json:"drop_ms"`
	FallbackMS   int64 `json:"fallback_ms"`
	ForgiveMS    int64 `json:"forgive_ms"`
	RejoinMS     int64 `json:"rejoin_ms"`
	DownloadMS   int64 `json:"download_ms"`
	RetryPauseMS int64 `json:"retry_pause_ms"` // at least, in the long run; 0 where nobody knows
}

// Settled is how a bed stood after everything was healed, when everyone had had the time
// to come back.
type Settled struct {
	HealedMS int64  `json:"healed_ms"`
	BackMS   *int64 `json:"back_ms"` // when nothing was missing any more; null if something still is
	// Counts are how many peers each supernode has to count, Missing what is not as it was
	// before, a line each.
	Counts  map[string]int `json:"counts,omitempty"`
	Missing []string       `json:"missing,omitempty"`
	Nodes   []Held         `json:"nodes,omitempty"`
}

// Held is what a node held of its machine when the bed was ready, and at the end.
type Held struct {
	Node   string  `json:"node"`
	Before Holding `json:"before"`
	After  Holding `json:"after"`
	Files  int     `json:"files,omitempty"` // that it may have stored since, with a descriptor each
}

// Holding is what a node holds at one moment.
type Holding struct {
	Descriptors int `json:"descriptors"` // as the kernel counts
	Goroutines  int `json:"goroutines"`  // its own word
}

// Budget is a figure that a scenario must not exceed, and what it came to.
type Budget struct {
	Name     string `json:"name"`
	Unit     string `json:"unit"` // ms, bytes, attempts
	Limit    int64  `json:"limit"`
	Measured int64  `json:"measured"`
	Of       string `json:"of,omitempty"` // whom or what the figure is of, where there are several
}

// Spent is where the time of a scenario went, in milliseconds; what is left of it was
// spent on waiting for the swarm: its timers, its downloads, its coming back.
type Spent struct {
	StartMS int64 `json:"start_ms"` // network, proxy, containers, steering, until gates could be opened
	ProofMS int64 `json:"proof_ms"` // putting faults in force and healing them, with their proofs
	EndMS   int64 `json:"end_ms"`   // closing books, audit, evidence, removal
}
