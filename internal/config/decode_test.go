package config

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/schedule"
)

// What the decoder must cope with in the settings of a type.
type embedded struct {
	Inner string `json:"inner"`
}

// viaOwnJSON takes a number or a word, as a list of statuses might.
type viaOwnJSON struct{ raw string }

func (v *viaOwnJSON) UnmarshalJSON(raw []byte) error {
	if string(raw) == `"bad"` {
		return errors.New("is bad; write good")
	}
	v.raw = string(raw)
	return nil
}

type everything struct {
	embedded
	Text     string                       `json:"text"`
	Flag     *bool                        `json:"flag"`
	Small    int8                         `json:"small"`
	Unsigned uint16                       `json:"unsigned"`
	Float    float64                      `json:"float"`
	Duration schedule.Duration            `json:"duration"`
	Overlap  jobs.Overlap                 `json:"overlap"`
	Map      map[string]map[string]int    `json:"map"`
	Structs  []embedded                   `json:"structs"`
	Pointers map[string]*embedded         `json:"pointers"`
	Own      viaOwnJSON                   `json:"own"`
	Owns     []viaOwnJSON                 `json:"owns"`
	Free     any                          `json:"free"`
	Raw      json.RawMessage              `json:"raw"`
	Durs     map[string]schedule.Duration `json:"durs"`
	Untagged string
	Skipped  string `json:"-"`
}

// decodeText decodes the mapping in text as the settings of a job are.
func decodeText(t *testing.T, text string) (everything, []string) {
	t.Helper()
	r := newReport()
	n := parseSource(&source{name: "f", data: []byte(text)}, r)
	if n == nil {
		t.Fatal(r.sorted())
	}
	var got everything
	d := &decoder{report: r, fieldsBy: map[reflect.Type]map[string][]int{}}
	ok := d.decode(n, nil, reflect.ValueOf(&got).Elem())
	if err := r.sorted(); err != nil {
		if ok {
			t.Error("decode says that nothing is wrong")
		}
		return got, strings.Split(err.Error(), "\n")
	}
	if !ok {
		t.Error("decode says that something is wrong, and not what")
	}
	return got, nil
}

func TestDecoderTakesWhatATypeMayAskFor(t *testing.T) {
	got, errs := decodeText(t, `
inner: x
text: 0x1F
flag: false
small: -128
unsigned: 65535
float: 1.5
duration: 1d
overlap: queue
map: {a: {b: 1}}
structs: [{inner: y}]
pointers: {p: {inner: z}}
own: 5
owns: [7, good]
free: {n: 1, f: 1.50, s: 010, t: true, q: "1", l: [a]}
raw: {b: 1, a: [x, 2]}
durs: {a: 5s}
Untagged: u
`)
	if errs != nil {
		t.Fatal(errs)
	}
	flag := false
	want := everything{
		embedded: embedded{"x"}, Text: "0x1F", Flag: &flag, Small: -128, Unsigned: 65535, Float: 1.5,
		Duration: schedule.Duration(24 * time.Hour), Overlap: jobs.OverlapQueue,
		Map: map[string]map[string]int{"a": {"b": 1}}, Structs: []embedded{{"y"}}, Pointers: map[string]*embedded{"p": {"z"}},
		Own: viaOwnJSON{"5"}, Owns: []viaOwnJSON{{"7"}, {`"good"`}},
		Free: map[string]any{
			"n": json.Number("1"), "f": json.Number("1.50"), "s": "010", "t": true, "q": "1", "l": []any{"a"},
		},
		Raw: json.RawMessage(`{"a":["x",2],"b":1}`), Durs: map[string]schedule.Duration{"a": schedule.Duration(5 * time.Second)},
		Untagged: "u",
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(everything{}, viaOwnJSON{})); diff != "" {
		t.Error(diff)
	}
}

func TestDecoderRefusesWhatDoesNotFit(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"numbers out of range", "small: 128\nunsigned: -1\n", []string{"f:1:8: small: 128 is out of range", "f:2:11: unsigned: -1 is out of range"}},
		{"numbers of another kind", "small: 0x1\nfloat: .5\n", []string{`f:1:8: small: expected a whole number, found "0x1"`, `f:2:8: float: expected a number, found ".5"`}},
		{"a number with separators", "unsigned: 1_000\n", []string{`f:1:11: unsigned: expected a whole number, found "1_000"; write plain digits: 1000`}},
		{"what its own decoding refuses", "own: bad\nowns: [good, bad]\n", []string{"f:1:6: own: is bad; write good", "f:2:14: owns[1]: is bad; write good"}},
		{"nulls in free values", "free: {a: [1, ~]}\nraw: {b: }\nown: [~]\n", []string{
			`f:1:15: free.a[1]: null is no value here; quote it if it is meant as text: "~"`,
			`f:2:7: raw.b: has no value; delete the key, or write "" if it is meant to be empty`,
			`f:3:7: own[0]: null is no value here; quote it if it is meant as text: "~"`,
		}},
		{"fields that are not for it", "Skipped: x\nskipped: x\n", []string{"f:1:1: Skipped: unknown key", "f:2:1: skipped: unknown key"}},
		{"deep below", "map: {a: {b: x}}\nstructs: [{inner: y}, {outer: z}]\n", []string{
			`f:1:14: map.a.b: expected a whole number, found "x"`,
			"f:2:24: structs[1].outer: unknown key; one of inner",
		}},
		{"a list for a duration", "duration: [1s]\n", []string{"f:1:11: duration: expected a value, found a list"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, got := decodeText(t, tt.text)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	candidates := []string{"schedule", "slots", "splay", "start_within", "stop", "workers", "run_after"}
	tests := []struct{ word, want string }{
		{"schedul", "schedule"},
		{"shcedule", "schedule"},
		{"SCHEDULE", "schedule"},
		{"startWithin", "start_within"},
		{"run-after", "run_after"},
		{"wrokers", "workers"},
		{"stopp", "stop"},
		{"command", ""},
		{"x", ""},
		{"", ""},
		{strings.Repeat("schedule", 100), ""},
	}
	for _, tt := range tests {
		if got := nearest(tt.word, candidates); got != tt.want {
			t.Errorf("nearest to %.20q is %q, want %q", tt.word, got, tt.want)
		}
	}
}
