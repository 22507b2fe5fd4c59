package jobs

import (
	"encoding/json"
	"fmt"
)

// NotDuring names the calendars in which a job's due moments do not run. With
// Defer, of the moments that fall into one blackout the last runs at its end.
// Its JSON form is the list alone where nothing is deferred.
type NotDuring struct {
	Calendars []string
	Defer     bool
}

// notDuringForm is NotDuring in full.
type notDuringForm struct {
	Calendars []string `json:"calendars"`
	Defer     bool     `json:"defer"`
}

// MarshalJSON writes the shorter form that says it all.
func (n NotDuring) MarshalJSON() ([]byte, error) {
	if !n.Defer {
		return json.Marshal(n.Calendars) //nolint:wrapcheck // strings: it cannot fail
	}
	return json.Marshal(notDuringForm(n)) //nolint:wrapcheck // as above
}

// UnmarshalJSON reads either form.
func (n *NotDuring) UnmarshalJSON(raw []byte) error {
	var names []string
	if err := json.Unmarshal(raw, &names); err == nil {
		*n = NotDuring{Calendars: names}
		return nil
	}
	var form notDuringForm
	if err := json.Unmarshal(raw, &form); err != nil {
		return fmt.Errorf("read not_during: %w", err)
	}
	*n = NotDuring(form)
	return nil
}
