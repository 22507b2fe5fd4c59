package config

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// maxLinks bounds how many symbolic links one path is followed through.
const maxLinks = 40

// folders keeps the kernel watching the folders that matter.
type folders struct {
	log      *slog.Logger
	notify   *fsnotify.Watcher // nil where the kernel has none to give
	complete bool              // every folder is watched
	warned   bool
}

func newFolders(log *slog.Logger) *folders {
	f := &folders{log: log}
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		f.warn(err)
		return f
	}
	f.notify = notify
	return f
}

func (f *folders) close() {
	if f.notify != nil {
		f.notify.Close()
	}
}

// warn says once that changes are noticed later than they might be.
func (f *folders) warn(err error) {
	f.complete = false
	if !f.warned {
		f.log.Warn("configuration files are looked at from time to time instead of watched", "every", pollAlone, "err", err)
	}
	f.warned = true
}

// events and errors are those of the kernel; a nil channel never has any.
func (f *folders) events() <-chan fsnotify.Event {
	if f.notify == nil {
		return nil
	}
	return f.notify.Events
}

func (f *folders) errors() <-chan error {
	if f.notify == nil {
		return nil
	}
	return f.notify.Errors
}

// follow makes the watched folders those of the given files and patterns.
func (f *folders) follow(files []string) {
	if f.notify == nil {
		return
	}
	wanted := foldersOf(files)
	watched := f.notify.WatchList()
	f.complete = true
	for _, dir := range wanted {
		if slices.Contains(watched, dir) {
			continue
		}
		if err := f.notify.Add(dir); err != nil && !os.IsNotExist(err) {
			f.warn(fmt.Errorf("watch %s: %w", dir, err))
		}
	}
	for _, dir := range watched {
		if !slices.Contains(wanted, dir) {
			// It may be gone already, and its watch with it.
			_ = f.notify.Remove(dir)
		}
	}
}

// foldersOf lists the folders in which something can happen to the files and
// patterns: the folder at the end of all links, and every folder that holds a
// link on the way there. For a folder that is not there, it is the nearest one
// above that is.
func foldersOf(files []string) []string {
	set := map[string]bool{}
	for _, file := range files {
		for _, dir := range expandDirs(file) {
			follow(dir, set, maxLinks)
		}
		if !strings.ContainsAny(file, `*?[\`) {
			follow(file, set, maxLinks)
		}
	}
	for _, file := range expand(files) {
		follow(file, set, maxLinks)
	}
	dirs := make([]string, 0, len(set))
	for dir := range set {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	return dirs
}

// expandDirs lists the folders in which a pattern may find files: those it
// finds now, with those above them down to its first wildcard.
func expandDirs(pattern string) []string {
	var dirs []string
	for dir := filepath.Dir(pattern); ; dir = filepath.Dir(dir) {
		if !strings.ContainsAny(dir, `*?[\`) {
			return append(dirs, filepath.Join(dir, "."))
		}
		found, err := filepath.Glob(dir)
		if err != nil {
			return dirs
		}
		dirs = append(dirs, found...)
	}
}

// follow walks a path from the top and adds the folders that matter on its way.
func follow(name string, set map[string]bool, links int) {
	dir := "/"
	for rest := strings.TrimPrefix(filepath.Clean(name), "/"); rest != ""; {
		var element string
		element, rest, _ = strings.Cut(rest, "/")
		here := filepath.Join(dir, element)
		info, err := os.Lstat(here)
		switch {
		case err != nil:
			set[dir] = true
			return
		case info.Mode()&fs.ModeSymlink != 0:
			set[dir] = true
			target, err := os.Readlink(here)
			if err != nil || links == 0 {
				return
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join(dir, target)
			}
			follow(filepath.Join(target, rest), set, links-1)
			return
		case !info.IsDir():
			set[dir] = true
			return
		}
		dir = here
	}
	set[dir] = true
}

// identity says what a file is, as far as stat knows, so that any change to its
// content or place shows.
func identity(info fs.FileInfo) string {
	text := fmt.Sprintf("%d %s %s", info.Size(), info.Mode(), info.ModTime().UTC().Format("20060102150405.000000000"))
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		text += fmt.Sprintf(" %d:%d", stat.Dev, stat.Ino)
	}
	return text
}
