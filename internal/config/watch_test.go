package config

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// soon is far longer than any signal takes, and only waited for in failure.
const soon = 20 * time.Second

// watching runs a watcher over files below dir until the test ends, and returns
// it once it watches.
func watching(t *testing.T, settle time.Duration, files ...string) *Watcher {
	t.Helper()
	w := NewWatcher(WatchOptions{Files: func() []string { return files }, Settle: settle})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("run ended with %v", err)
			}
		case <-time.After(soon):
			t.Error("run does not end")
		}
	})
	return w
}

func wantSignal(t *testing.T, w *Watcher, after string) {
	t.Helper()
	select {
	case <-w.Changes():
	case <-time.After(soon):
		t.Fatalf("no signal after %s", after)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWatcherSignalsWhateverWayAFileChanges(t *testing.T) {
	dir := t.TempDir()
	main, conf := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "conf.d")
	write(t, main, "1")
	w := watching(t, minSettle, main, filepath.Join(conf, "*.yaml"))
	steps := []struct {
		name string
		do   func()
	}{
		{"a write in place", func() { write(t, main, "22") }},
		{"an editor's rename over it", func() {
			write(t, main+".tmp", "333")
			must(t, os.Rename(main+".tmp", main))
		}},
		{"its removal", func() { must(t, os.Remove(main)) }},
		{"its return", func() { write(t, main, "4444") }},
		{"a new folder with a file that a pattern means", func() { write(t, filepath.Join(conf, "a.yaml"), "1") }},
		{"a second file beside it", func() { write(t, filepath.Join(conf, "b.yaml"), "1") }},
		{"a write to that file", func() { write(t, filepath.Join(conf, "b.yaml"), "22") }},
		{"the folder's removal", func() { must(t, os.RemoveAll(conf)) }},
		{"the folder's return", func() { write(t, filepath.Join(conf, "a.yaml"), "333") }},
		{"a write in the folder that returned", func() { write(t, filepath.Join(conf, "a.yaml"), "4444") }},
		{"another folder in its place", func() {
			write(t, filepath.Join(dir, "next", "a.yaml"), "55555")
			must(t, os.Rename(conf, conf+".old"))
			must(t, os.Rename(filepath.Join(dir, "next"), conf))
		}},
		{"a write in the other folder", func() { write(t, filepath.Join(conf, "a.yaml"), "666666") }},
	}
	for _, step := range steps {
		step.do()
		wantSignal(t, w, step.name)
	}
}

// A Kubernetes config map is a link to a file below a link that is swapped.
func TestWatcherFollowsSwappedLinks(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	for version, text := range map[string]string{"v1": "1", "v2": "22", "v3": "333"} {
		write(t, filepath.Join(elsewhere, version, "config.yaml"), text)
	}
	data, main := filepath.Join(dir, "..data"), filepath.Join(dir, "config.yaml")
	must(t, os.Symlink(filepath.Join(elsewhere, "v1"), data))
	must(t, os.Symlink("..data/config.yaml", main))
	w := watching(t, minSettle, main)
	for _, version := range []string{"v2", "v3"} {
		must(t, os.Symlink(filepath.Join(elsewhere, version), data+"_tmp"))
		must(t, os.Rename(data+"_tmp", data))
		wantSignal(t, w, "the swap to "+version)
	}
	write(t, filepath.Join(elsewhere, "v3", "config.yaml"), "4444")
	wantSignal(t, w, "a write to the file at the end of the links")
}

// Files that do not matter must neither signal nor put a signal off. The
// signal for the file that does shows that the others had their chance.
func TestWatcherIgnoresABusyFolder(t *testing.T) {
	dir := t.TempDir()
	main := filepath.Join(dir, "config.yaml")
	write(t, main, "1")
	w := watching(t, 50*time.Millisecond, main, filepath.Join(dir, "*.yml"))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				_ = os.WriteFile(filepath.Join(dir, "poold.db-wal"), make([]byte, i%100), 0o600)
				_ = os.WriteFile(filepath.Join(dir, ".hidden.yml"), make([]byte, i%100), 0o600)
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	select {
	case <-w.Changes():
		t.Fatal("a signal, though nothing that matters changed")
	case <-time.After(300 * time.Millisecond):
	}
	write(t, main, "22")
	wantSignal(t, w, "a write amid others")
}

func TestWatcherLooksForNewFilesWhenTold(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "a", "x.yaml"), filepath.Join(dir, "b", "y.yaml")
	write(t, first, "1")
	write(t, second, "1")
	files := make(chan []string, 1)
	files <- []string{first}
	w := NewWatcher(WatchOptions{Settle: minSettle, Files: func() []string {
		now := <-files
		files <- now
		return now
	}})
	go func() { _ = w.Run(t.Context()) }()
	<-files
	files <- []string{first, second}
	w.Look()
	wantSignal(t, w, "another file that matters")
	write(t, second, "22")
	wantSignal(t, w, "a write to it")
}

func TestWatcherTakesWhatAConfigurationDependsOn(t *testing.T) {
	clearEnv(t)
	dir := inFolder(t, map[string]string{"a[b]*/config.yaml": "include: c/*.yaml\n"})
	o := options()
	o.Path = "a[b]*/config.yaml"
	c, err := Load(o)
	must(t, err)
	w := watching(t, minSettle, c.Watched()...)
	write(t, filepath.Join(dir, o.Path), "jobs: {}\n")
	wantSignal(t, w, "a write to the main file")
	write(t, filepath.Join(dir, "a[b]*/c/new.yaml"), "jobs: {}\n")
	wantSignal(t, w, "a new file that is included")
}

func TestWhatHappensBeforeRunIsSignalled(t *testing.T) {
	main := filepath.Join(t.TempDir(), "config.yaml")
	write(t, main, "1")
	w := NewWatcher(WatchOptions{Files: func() []string { return []string{main} }})
	write(t, main, "22")
	go func() { _ = w.Run(t.Context()) }()
	wantSignal(t, w, "a write between NewWatcher and Run")
}

func TestSettling(t *testing.T) {
	tests := []struct {
		name    string
		looks   []string // "lost" stands for a loss of events
		signals []bool
		pending bool
	}{
		{"nothing changed", []string{"a", "a"}, []bool{false, false}, false},
		{"a change that stays", []string{"a", "b", "b", "b"}, []bool{false, false, true, false}, false},
		{"a change that goes on", []string{"b", "c", "d", "d"}, []bool{false, false, false, true}, false},
		{"a change that is taken back", []string{"b", "a", "a"}, []bool{false, false, false}, false},
		{"a change that has just been seen", []string{"a", "b"}, []bool{false, false}, true},
		{"two changes", []string{"b", "b", "c", "c"}, []bool{false, true, false, true}, false},
		{"events were lost", []string{"a", "lost", "a"}, []bool{false, false, true}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := settling{signalled: "a"}
			var got []bool
			for _, look := range tt.looks {
				if look == "lost" {
					s.lost = true
					got = append(got, false)
					continue
				}
				got = append(got, s.step(look))
			}
			if diff := cmp.Diff(tt.signals, got); diff != "" {
				t.Error(diff)
			}
			if s.pending != tt.pending {
				t.Errorf("pending is %v, want %v", s.pending, tt.pending)
			}
		})
	}
}

func TestFoldersThatMatter(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	in := func(names ...string) []string {
		var all []string
		for _, name := range names {
			all = append(all, filepath.Join(dir, name))
		}
		slices.Sort(all)
		return all
	}
	write(t, filepath.Join(dir, "real/sub/c.yaml"), "")
	write(t, filepath.Join(dir, "d1/x.yaml"), "")
	write(t, filepath.Join(dir, "d2/y.yaml"), "")
	write(t, filepath.Join(dir, "etc/plain.yaml"), "")
	must(t, os.Symlink("../real", filepath.Join(dir, "etc/link")))
	must(t, os.Symlink("link/sub/c.yaml", filepath.Join(dir, "etc/c.yaml")))
	must(t, os.Symlink("loop", filepath.Join(dir, "etc/loop")))
	tests := []struct {
		name        string
		files, want []string
	}{
		{"a plain file", in("etc/plain.yaml"), in("etc")},
		{"a file that is not there", in("etc/none.yaml"), in("etc")},
		{"a folder that is not there", in("etc/no/such/file.yaml"), in("etc")},
		{"links to a folder elsewhere", in("etc/c.yaml"), in("etc", "real/sub")},
		{"a pattern", in("etc/*.yaml"), in("etc", "real/sub")},
		{"a pattern in a folder that is not there", in("etc/no/*.yaml"), in("etc")},
		{"a pattern over folders", in("d*/*.yaml"), append([]string{dir}, in("d1", "d2")...)},
		{"a link to itself", in("etc/loop"), in("etc")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, foldersOf(tt.files)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
