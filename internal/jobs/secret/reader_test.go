package secret

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// testReader reads from a folder with one credential, and an environment of
// one variable.
func testReader(t *testing.T) *Reader {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "db"), "s3cret {arg}\n")
	return NewReader(Source{Credentials: dir, Getenv: func(name string) (string, bool) {
		return "${cred:db}", name == "TOKEN"
	}})
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func expand(t *testing.T, r *Reader, in, arg string) (string, error) {
	t.Helper()
	tmpl, err := Parse(in)
	if err != nil {
		t.Fatal(err)
	}
	return r.Expand(tmpl, func(place string) string { return arg })
}

func TestExpandIsOnePass(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	writeFile(t, file, "two\n\n")
	dos := filepath.Join(t.TempDir(), "dos")
	writeFile(t, dos, "line\r\n")
	tests := []struct{ name, in, arg, want string }{
		{"plain text stays", "plain", "x", "plain"},
		{"a credential loses its last newline only", "<${cred:db}>", "x", "<s3cret {arg}>"},
		{"one newline of two is cut", "${file:" + file + "}", "x", "two\n"},
		{"a line end of two bytes is cut", "${file:" + dos + "}", "x", "line"},
		{"a variable's value is not expanded again", "${env:TOKEN}", "x", "${cred:db}"},
		{"an argument is not expanded again", "{arg}", "${file:/etc/shadow}{run_id}", "${file:/etc/shadow}{run_id}"},
		{"an escaped reference stays text", "$${cred:db}", "x", "${cred:db}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := expand(t, testReader(t), tt.in, tt.arg)
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(dir, "large")
	writeFile(t, large, strings.Repeat("topsecret", 1<<17))
	tests := []struct{ name, in, want string }{
		{"a missing credential", "${cred:none}", "${cred:none}: no such credential; add LoadCredential=none:PATH"},
		{"a missing variable", "${env:NONE}", "${env:NONE}: not set in the daemon's environment"},
		{"a missing file", "${file:/no/such}", "${file:/no/such}: no such file or directory"},
		{"a pipe, without waiting for a writer", "${file:" + pipe + "}", "not a regular file"},
		{"a device without an end", "${file:/dev/zero}", "not a regular file"},
		{"a folder", "${file:/etc}", "not a regular file"},
		{"a large file", "${file:" + large + "}", "larger than 1MiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := expand(t, testReader(t), "x"+tt.in, "")
			if err == nil {
				t.Fatalf("got %q, want an error", got)
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "topsecret") {
				t.Errorf("got %q\nwant %q in it", err, tt.want)
			}
		})
	}
	r := NewReader(Source{Getenv: os.LookupEnv})
	if _, err := expand(t, r, "${cred:db}", ""); err == nil || !strings.Contains(err.Error(), "given no credentials") {
		t.Errorf("without a folder of credentials: got %v", err)
	}
}

func TestAReaderKeepsTheValueItRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	writeFile(t, path, "first")
	r := NewReader(System())
	for _, text := range []string{"second", "third"} {
		got, err := expand(t, r, "${file:"+path+"}", "")
		if err != nil || got != "first" {
			t.Errorf("got %q, %v, want the value read first", got, err)
		}
		writeFile(t, path, text)
	}
}

func TestMask(t *testing.T) {
	r := testReader(t)
	r.values = map[string]string{"a": "p/ss word", "b": "p/ss", "c": "x"}
	tests := []struct{ in, want string }{
		{"plain x", "plain x"},
		{"a p/ss word b p/ss c", "a *** b *** c"},
		{"?t=p%2Fss+word&u=p%2Fss%20word", "?t=***&u=***"},
	}
	for _, tt := range tests {
		if got := r.Mask(tt.in); got != tt.want {
			t.Errorf("Mask(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestMaskWriterHidesAcrossWrites(t *testing.T) {
	r := testReader(t)
	r.values = map[string]string{"a": "hunter2hunter2", "b": "hunter2"}
	text := "1 hunter2 2 hunter2hunter2 3 hunterx hunter2hunter 4 hunter2"
	want := "1 *** 2 *** 3 hunterx ***hunter 4 ***"
	for size := 1; size <= len(text); size++ {
		var out bytes.Buffer
		w := r.Writer(&out)
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if _, err := w.Write([]byte(rest[:n])); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != want {
			t.Fatalf("writes of %d: got %q, want %q", size, got, want)
		}
	}
}

func TestMaskWriterReportsErrors(t *testing.T) {
	r := testReader(t)
	r.values = map[string]string{"a": "hunter2"}
	w := r.Writer(failing{})
	if _, err := w.Write([]byte("more than a secret's length")); err == nil {
		t.Error("no error from Write")
	}
	if err := w.Flush(); err == nil {
		t.Error("no error from Flush")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, os.ErrClosed }
