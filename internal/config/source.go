package config

import (
	"bytes"
	"cmp"
	"compress/flate"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// The bounds on what is read. They are far above any configuration a person
// or a script writes, and far below what would hurt the daemon.
const (
	maxFile  = 4 << 20
	maxFiles = 10_000
	maxTotal = 64 << 20
)

// source is one file of a configuration.
type source struct {
	name string // as messages name it: as the user gave it
	path string // absolute
	main bool   // the file that was asked for; the others are included
	data []byte
	sum  [sha256.Size]byte // of data

	packed []byte // data, compressed, where it is no longer needed and large
}

// largeSource is the size from which on it is worth while to pack a source.
const largeSource = 64 << 10

// pack makes a large source small until it is looked at again, if ever.
func (s *source) pack() {
	if len(s.data) < largeSource {
		return
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err == nil {
		_, err = w.Write(s.data)
	}
	if err = cmp.Or(err, w.Close()); err != nil {
		panic(err) // neither the level nor a buffer can refuse anything
	}
	s.packed, s.data = bytes.Clone(b.Bytes()), nil
}

// unpacked returns the source as it was read.
func (s *source) unpacked() *source {
	if s.packed == nil {
		return s
	}
	own := *s
	var err error
	if own.data, err = io.ReadAll(flate.NewReader(bytes.NewReader(s.packed))); err != nil {
		panic(err) // it was packed by pack
	}
	return &own
}

// readSource reads a file and refuses what can be no configuration. A file
// that is not there is an error like any other.
func readSource(name string, main bool) (*source, *Error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, &Error{File: name, Message: fmt.Sprintf("find the file: %v", err)}
	}
	data, err := readRegular(abs)
	if err != nil {
		message, hint := splitHint(err)
		return nil, &Error{File: name, Message: message, Hint: hint}
	}
	s := &source{name: name, path: abs, main: main, data: data, sum: sha256.Sum256(data)}
	return s, s.vetBytes()
}

// readRegular reads a regular file of bounded size. It opens without blocking:
// a FIFO without a writer would hold a reload forever.
func readRegular(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, openError(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, openError(err)
	}
	if info.IsDir() {
		return nil, errors.New("is a folder; name a file in it")
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file; a configuration is not read from a device, pipe or socket")
	}
	var b bytes.Buffer
	b.Grow(int(min(info.Size(), maxFile)) + bytes.MinRead)
	if _, err := b.ReadFrom(io.LimitReader(f, maxFile+1)); err != nil {
		return nil, openError(err)
	}
	if b.Len() > maxFile {
		return nil, fmt.Errorf("is larger than %d MiB; split it into files that it includes", maxFile>>20)
	}
	return b.Bytes(), nil
}

// openError drops the path from an error of the system: the message names the
// file already.
func openError(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such file")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("may not be read; permission denied")
	}
	return err
}

// vetBytes refuses what is not text in UTF-8.
func (s *source) vetBytes() *Error {
	wide := [][]byte{{0xff, 0xfe}, {0xfe, 0xff}}
	for _, mark := range wide {
		if bytes.HasPrefix(s.data, mark) {
			return &Error{File: s.name, Line: 1, Column: 1, Message: "is UTF-16, not UTF-8", Hint: "save it as UTF-8"}
		}
	}
	if i := bytes.IndexByte(s.data, 0); i >= 0 {
		return s.errorAt(i, fmt.Sprintf("holds a NUL byte at offset %d", i), "a configuration is text in UTF-8")
	}
	for i := 0; i < len(s.data); {
		if s.data[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(s.data[i:])
		if r == utf8.RuneError && size <= 1 {
			return s.errorAt(i, fmt.Sprintf("is not UTF-8: byte 0x%02x at offset %d", s.data[i], i), "save it as UTF-8")
		}
		i += size
	}
	return nil
}

// errorAt places an error at a byte of the file.
func (s *source) errorAt(offset int, message, hint string) *Error {
	line, column := s.position(offset)
	return &Error{File: s.name, Line: line, Column: column, Message: message, Hint: hint}
}

// position gives line and column, from 1, of a byte. Columns count characters.
func (s *source) position(offset int) (line, column int) {
	offset = min(offset, len(s.data))
	before := s.data[:offset]
	line = 1 + bytes.Count(before, []byte("\n"))
	start := 1 + bytes.LastIndexByte(before, '\n')
	return line, 1 + utf8.RuneCount(bytes.TrimPrefix(before[start:], []byte("\ufeff")))
}

// included lists the files a pattern of `include:` means, as messages will name
// them: relative to the folder of the file that includes them, sorted. A
// wildcard leaves out dotfiles, folders, and the including file itself.
func (s *source) included(pattern string) ([]string, error) {
	full := pattern
	if !filepath.IsAbs(pattern) {
		full = filepath.Join(escapeGlob(filepath.Dir(s.name)), pattern)
	}
	if !strings.ContainsAny(pattern, `*?[\`) {
		name := pattern
		if !filepath.IsAbs(pattern) {
			name = filepath.Join(filepath.Dir(s.name), pattern)
		}
		return []string{name}, nil
	}
	found, err := filepath.Glob(full)
	if err != nil {
		return nil, fmt.Errorf("%q is not a pattern; close each [ with ]", pattern)
	}
	slices.Sort(found)
	return slices.DeleteFunc(found, func(name string) bool {
		info, err := os.Stat(name)
		isFolder := err == nil && info.IsDir()
		abs, err := filepath.Abs(name)
		isSelf := err == nil && abs == s.path
		return isFolder || isSelf || strings.HasPrefix(filepath.Base(name), ".")
	}), nil
}

// escapeGlob makes a path mean itself within a pattern.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
