package jobs

import "encoding/json"

// Hosted is a Type whose attempts go to a host that its settings name. Host
// returns the function that tells the host of an attempt by its argument,
// empty where there is none. It is pure: what it says depends on nothing else.
// It is called once for a definition, the function for each of its runs.
type Hosted interface {
	Host(with json.RawMessage) func(arg string) string
}
