package jobs

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"golang.org/x/sys/unix"
)

// Overlap says what happens to a new run while an earlier run of the same job
// and argument is queued or running.
type Overlap string

// The ways to treat an overlap.
const (
	OverlapSkip     Overlap = "skip"      // the new run is skipped
	OverlapQueue    Overlap = "queue"     // it waits, one at most
	OverlapQueueAll Overlap = "queue_all" // it waits, however many there are
	OverlapReplace  Overlap = "replace"   // the earlier ones are stopped first
	OverlapAllow    Overlap = "allow"     // they run beside each other
)

// Values lists what an overlap may be.
func (Overlap) Values() []string { return []string{"skip", "queue", "queue_all", "replace", "allow"} }

// CatchUpPolicy says which missed occurrences are made up for.
type CatchUpPolicy string

// The catch-up policies.
const (
	CatchUpNone   CatchUpPolicy = "none"
	CatchUpLatest CatchUpPolicy = "latest"
	CatchUpAll    CatchUpPolicy = "all"
)

// Values lists what a catch-up policy may be.
func (CatchUpPolicy) Values() []string { return []string{"none", "latest", "all"} }

// StopMode says how far a stop reaches.
type StopMode string

// The stop modes: the whole process tree, or the main process alone.
const (
	StopTree    StopMode = "tree"
	StopProcess StopMode = "process"
)

// Values lists what a stop mode may be.
func (StopMode) Values() []string { return []string{"tree", "process"} }

// Match says how many of several upstream jobs must have ended.
type Match string

// The ways to match: one of them, or all of them.
const (
	MatchAny Match = "any"
	MatchAll Match = "all"
)

// Values lists what a match may be.
func (Match) Values() []string { return []string{"any", "all"} }

// Signal is the name of a signal without its SIG, such as TERM.
type Signal string

// UnmarshalText accepts a signal's name, with or without SIG, in any case.
func (s *Signal) UnmarshalText(text []byte) error {
	name := strings.TrimPrefix(strings.ToUpper(string(text)), "SIG")
	if unix.SignalNum("SIG"+name) == 0 {
		return fmt.Errorf("%q is no signal; write TERM, INT, HUP, QUIT, USR1, …", text)
	}
	*s = Signal(name)
	return nil
}

// Number returns the signal's number, zero for an unknown name.
func (s Signal) Number() unix.Signal { return unix.SignalNum("SIG" + string(s)) }

// Slots is how many workers of its pool a run takes.
type Slots int

// AllSlots takes the whole pool, whatever its size.
const AllSlots Slots = math.MaxInt32

// UnmarshalText accepts a number from 1 on, or "all".
func (s *Slots) UnmarshalText(text []byte) error {
	if string(text) == "all" {
		*s = AllSlots
		return nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n >= int(AllSlots) {
		return fmt.Errorf("%q is not a number of workers; write 1, 2, … or all", text)
	}
	*s = Slots(n)
	return nil
}

// MarshalJSON writes a number, or "all".
func (s Slots) MarshalJSON() ([]byte, error) {
	if s == AllSlots {
		return []byte(`"all"`), nil
	}
	return strconv.AppendInt(nil, int64(s), 10), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Slots) UnmarshalJSON(raw []byte) error {
	return s.UnmarshalText([]byte(strings.Trim(string(raw), `"`)))
}

// Size is a number of bytes, written with a unit: 16MiB, 2GiB, 500kB.
type Size int64

// UnmarshalText accepts a size with a unit; a bare number other than 0 is
// refused, since its unit would be a guess.
func (s *Size) UnmarshalText(text []byte) error {
	word := string(text)
	if word != "0" && strings.Trim(word, "0123456789.") == "" {
		return fmt.Errorf("%q has no unit; write 16MiB, 2GiB, 500kB or 100B", word)
	}
	n, err := humanize.ParseBytes(word)
	if err != nil || n > math.MaxInt64 {
		return fmt.Errorf("%q is not a size; write 16MiB, 2GiB, 500kB or 100B", word)
	}
	*s = Size(n)
	return nil
}

// String gives the size with the largest binary unit that keeps it whole.
func (s Size) String() string {
	n, unit := int64(s), 0
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for n != 0 && n%1024 == 0 && unit < len(units)-1 {
		n, unit = n/1024, unit+1
	}
	return strconv.FormatInt(n, 10) + units[unit]
}

// MarshalJSON writes the size as String gives it.
func (s Size) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// UnmarshalJSON reads a size from a JSON string.
func (s *Size) UnmarshalJSON(raw []byte) error {
	var word string
	if err := json.Unmarshal(raw, &word); err != nil {
		return fmt.Errorf("read size: %w", err)
	}
	return s.UnmarshalText([]byte(word))
}
