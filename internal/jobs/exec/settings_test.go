package exec

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// checked runs Check on settings in JSON and gives each problem as
// "path: message; hint".
func checked(t *testing.T, with string) []string {
	t.Helper()
	var got []string
	for _, p := range New(Options{}).Check(json.RawMessage(with)) {
		got = append(got, fmt.Sprintf("%v: %s; %s", p.Path, p.Message, p.Hint))
	}
	return got
}

func TestCheckFindsNothingWrong(t *testing.T) {
	for _, with := range []string{
		`{"command":["true"]}`,
		`{"shell":"exit 3"}`,
		`{"shell":"echo ${file:0:3} ${HOME}","interpreter":["/bin/bash","-c"]}`,
		`{"command":["a","{arg}","--run={run_id}"],"env":{"A":"${cred:x}{arg}","b.c":"$${HOME}"},"stdin":"{scheduled_at}"}`,
		`{"command":["a"],"user":"backup","group":"33","dir":"/srv","env_file":"/etc/x","umask":"0077","nice":-20}`,
		`{"command":["a"],"umask":"27","nice":19}`,
		`{"command":["a"],"interpreter":["/bin/bash","-c"]}`, // as a default for all jobs
	} {
		if got := checked(t, with); got != nil {
			t.Errorf("%s: %q", with, got)
		}
	}
}

func TestCheckFindsProblems(t *testing.T) {
	tests := []struct{ name, with, want string }{
		{"something must be run", `{}`, "[]: there is nothing to run; set command"},
		{"command and shell exclude each other", `{"command":["a"],"shell":"b"}`, "[shell]: both command and shell are set; keep one"},
		{"an unknown key is refused", `{"command":["a"],"limits":{}}`, "unknown field"},
		{"a program has a name", `{"command":[""]}`, "[command 0]: the program has no name"},
		{"an argument chooses no program", `{"command":["{arg}"]}`, "[command 0]: {arg} must not choose the program"},
		{"a placeholder in shell is explained", `{"shell":"echo {arg}"}`, `[shell]: {arg} is not replaced in shell, since an argument could then hold commands; write "$POOLD_ARG"`},
		{"the run's number has a variable", `{"shell":"echo {run_id}"}`, `write "$POOLD_RUN_ID"`},
		{"the moment has a variable", `{"shell":"echo {scheduled_at}"}`, `write "$POOLD_SCHEDULED_AT"`},
		{"an argument chooses no interpreter", `{"shell":"a","interpreter":["{arg}"]}`, "[interpreter 0]: {arg} must not choose"},
		{"an interpreter's words are fixed", `{"shell":"a","interpreter":["sh","{run_id}"]}`, "[interpreter 1]: {run_id} is not replaced here"},
		{"an argument chooses no user", `{"command":["a"],"user":"{arg}"}`, "[user]: {arg} is not replaced here; it may stand in"},
		{"an argument chooses no group", `{"command":["a"],"group":"{arg}"}`, "[group]: {arg} is not replaced here"},
		{"a user's name has no colon", `{"command":["a"],"user":"a:b"}`, `[user]: "a:b" is no name of a user`},
		{"an argument chooses no folder", `{"command":["a"],"dir":"/srv/{arg}"}`, "[dir]: {arg} is not replaced here"},
		{"a folder is absolute", `{"command":["a"],"dir":"~/x"}`, `[dir]: "~/x" is not an absolute path; begin it with /`},
		{"an argument chooses no file", `{"command":["a"],"env_file":"/{arg}"}`, "[env_file]: {arg} is not replaced here"},
		{"an argument names no variable", `{"command":["a"],"env":{"{arg}":"x"}}`, "[env {arg}]: {arg} is not replaced here"},
		{"a variable's name has no =", `{"command":["a"],"env":{"A=B":"x"}}`, `"A=B" cannot be the name of a variable`},
		{"a variable has a name", `{"command":["a"],"env":{"":"x"}}`, `"" cannot be the name`},
		{"poold's own variables are its own", `{"command":["a"],"env":{"POOLD_RUN_ID":"1"}}`, "[env POOLD_RUN_ID]: POOLD_RUN_ID is set by poold itself"},
		{"a shell's variable in env is explained", `{"command":["a"],"env":{"A":"${HOME}/x"}}`, "[env A]: ${HOME} is no reference to a secret; write"},
		{"a reference in stdin is checked", `{"command":["a"],"stdin":"${cred:}"}`, "[stdin]: ${cred:} names no credential"},
		{"a secret in the command would be seen", `{"command":["a","-p${cred:pw}"]}`, "[command 1]: ${cred:pw} is not read here, where any user could see it"},
		{"a secret in the shell would be seen", `{"shell":"a ${file:/run/pw}"}`, "[shell]: ${file:/run/pw} is not read here"},
		{"a zero byte cannot be passed", `{"command":["a","b\u0000"]}`, "[command 1]: it holds a zero byte"},
		{"a zero byte in a variable cannot be passed", `{"command":["a"],"env":{"A":"\u0000"}}`, "[env A]: it holds a zero byte"},
		{"a umask is octal", `{"command":["a"],"umask":"0028"}`, `[umask]: "0028" is no umask; write it in octal`},
		{"a umask has nine bits", `{"command":["a"],"umask":"1777"}`, `[umask]: "1777" is no umask`},
		{"niceness has a range", `{"command":["a"],"nice":20}`, "[nice]: 20 is no niceness; write -20"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checked(t, tt.with)
			if len(got) != 1 || !strings.Contains(got[0], tt.want) {
				t.Errorf("got %q\nwant one with %q", got, tt.want)
			}
		})
	}
}

func TestCheckReportsAllProblemsInOrder(t *testing.T) {
	got := checked(t, `{"command":[""],"user":"{arg}","group":" ","env":{"B":"${","A":"${"},"nice":99}`)
	var paths []string
	for _, p := range got {
		paths = append(paths, p[:strings.Index(p, "]")+1])
	}
	want := []string{"[command 0]", "[user]", "[group]", "[env A]", "[env B]", "[nice]"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
}

func TestCheckArg(t *testing.T) {
	const inCommand, inShell, inProgram = `{"command":["rm","{arg}"]}`, `{"shell":"rm \"$POOLD_ARG\""}`, `{"command":["rm"]}`
	tests := []struct{ name, with, arg, want string }{
		{"a plain word goes anywhere", inCommand, "a b'\"$(x)", ""},
		{"an option is refused in a command", inCommand, "-rf", "begins with -"},
		{"a lone dash is refused too", inCommand, "-", "begins with -"},
		{"a line break is refused in a command", inCommand, "a\nb", "control character"},
		{"an escape is refused in a command", inCommand, "a\x1b[2J", "control character"},
		{"a dash inside is fine", inCommand, "a-b", ""},
		{"an option is fine as a variable", inShell, "-rf\n", ""},
		{"an option is fine where the command has no argument", inProgram, "-rf", ""},
		{"a zero byte is refused in a command", inCommand, "a\x00", "zero byte"},
		{"a zero byte is refused as a variable", inShell, "a\x00", "zero byte"},
		{"letters of any kind are fine", inCommand, "Ärger\u2028 ÿ", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := New(Options{}).CheckArg(json.RawMessage(tt.with), tt.arg)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want none", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestSettingsKeepTheirForm(t *testing.T) {
	const with = `{"command":["a"],"user":"u","group":"g","dir":"/d","env":{"A":"b"},"env_file":"/f","stdin":"s","umask":"0022","nice":5}`
	s := New(Options{}).Settings()
	if err := json.Unmarshal([]byte(with), s); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != with {
		t.Errorf("got %s\nwant %s", got, with)
	}
}
