package secret

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Source is where references are read from.
type Source struct {
	Credentials string                      // folder of ${cred:…}; empty: there is none
	Getenv      func(string) (string, bool) // environment of ${env:…}
}

// System reads from this process's own surroundings: the credentials that
// systemd loaded for it, and its environment.
func System() Source {
	return Source{Credentials: os.Getenv("CREDENTIALS_DIRECTORY"), Getenv: os.LookupEnv}
}

// Reader reads the references of one attempt and remembers the values, so
// that they can be kept out of what people see. It is for one goroutine.
type Reader struct {
	source Source
	values map[string]string
}

// NewReader returns a reader that has read nothing yet.
func NewReader(s Source) *Reader { return &Reader{source: s} }

// Expand replaces the references by what they refer to and the placeholders
// by what place says, in one pass. Its errors name the reference and never
// hold a value.
func (r *Reader) Expand(t Template, place func(string) string) (string, error) {
	if len(t) == 1 && t[0].Kind == Text {
		return t[0].Text, nil
	}
	var b strings.Builder
	for _, p := range t {
		switch p.Kind {
		case Text:
			b.WriteString(p.Text)
		case Place:
			b.WriteString(place(p.Text))
		case Reference:
			value, err := r.Read(p.Text)
			if err != nil {
				return "", err
			}
			b.WriteString(value)
		}
	}
	return b.String(), nil
}

// Read returns what the reference, as SOURCE:NAME, refers to. The same one
// has the same value throughout the life of the reader.
func (r *Reader) Read(ref string) (string, error) {
	if value, ok := r.values[ref]; ok {
		return value, nil
	}
	value, err := r.read(ref)
	if err != nil {
		return "", fmt.Errorf("${%s}: %w", ref, err)
	}
	if r.values == nil {
		r.values = make(map[string]string)
	}
	r.values[ref] = value
	return value, nil
}

func (r *Reader) read(ref string) (string, error) {
	source, name, _ := strings.Cut(ref, ":")
	switch source {
	case "cred":
		return r.credential(name)
	case "env":
		if value, ok := r.source.Getenv(name); ok {
			return value, nil
		}
		return "", errors.New("not set in the daemon's environment; set it with Environment= or EnvironmentFile= in its unit")
	case "file":
		return readSecret(name)
	}
	return "", errors.New("no such source")
}

func (r *Reader) credential(name string) (string, error) {
	if r.source.Credentials == "" {
		return "", errors.New("the daemon was given no credentials; add LoadCredential= or SetCredential= to its unit")
	}
	value, err := readSecret(filepath.Join(r.source.Credentials, name))
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("no such credential; add LoadCredential=%s:PATH to the daemon's unit", name)
	}
	return value, err
}

func readSecret(path string) (string, error) {
	raw, err := ReadFile(path)
	if err != nil {
		return "", err
	}
	// Editors and echo end a file with a newline that is no part of the value.
	value, cut := strings.CutSuffix(string(raw), "\r\n")
	if !cut {
		value = strings.TrimSuffix(value, "\n")
	}
	return value, nil
}

// maxFile bounds what is read into memory for one attempt.
const maxFile = 1 << 20

// ReadFile reads a small regular file. It does not hang on a pipe that nobody
// writes to, and refuses anything endless.
func ReadFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, withoutPath(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if len(raw) > maxFile {
		return nil, errors.New("larger than 1MiB")
	}
	return raw, nil
}

// withoutPath drops the path from an error that is wrapped with it anyway.
func withoutPath(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
