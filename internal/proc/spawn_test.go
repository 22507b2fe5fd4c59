package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// live is n children that sleep until the end of the test.
func live(t *testing.T, n int, o *Orphans) []*Process {
	t.Helper()
	procs := make([]*Process, n)
	for i := range procs {
		p, err := Start(Spec{Argv: []string{"/bin/sleep", "600"}, Umask: 0o022, Orphans: o})
		if err != nil {
			t.Fatal(err)
		}
		procs[i] = p
	}
	t.Cleanup(func() {
		for _, p := range procs {
			p.Stop(context.Background(), Stop{Signal: unix.SIGKILL})
			_ = p.Close()
		}
	})
	return procs
}

func TestWhatLivesDoesNotMakeAnEndDearer(t *testing.T) {
	o := adopt(t)
	live(t, 100, o)
	pids, err := o.firstChildren()
	if err != nil || len(pids) > 0 {
		t.Errorf("an end looks at %d children of others, %v", len(pids), err)
	}
	spec := sh("exit 0")
	spec.Orphans = o
	p := start(t, spec)
	if wait(t, p); !p.leftNothing() {
		t.Error("it is not known that nothing is left")
	}
}

func TestWhatChildrenInheritFromThreadsStaysApart(t *testing.T) {
	before, _ := currentUmask()
	priority, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // 20 less the nice value
	if err != nil {
		t.Fatal(err)
	}
	var sides sync.WaitGroup
	for side := range 8 {
		sides.Go(func() {
			for i := range 10 {
				mask, nice := 0o22+side*8+i%8, 5+i
				spec := sh("umask; nice")
				spec.Umask, spec.Nice = mask, nice
				if i%2 == 0 {
					spec.Nice, nice = 0, 20-priority
				}
				if got, want := strings.Fields(output(t, spec)), []string{fmt.Sprintf("%04o", mask), fmt.Sprint(nice)}; strings.Join(got, " ") != strings.Join(want, " ") {
					t.Errorf("got %v, want %v", got, want)
				}
			}
		})
	}
	sides.Wait()
	for range 8 { // whichever thread this is
		sides.Go(func() {
			now, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
			if mask, _ := currentUmask(); mask != before || now != priority || err != nil {
				t.Errorf("a thread of ours has the umask %04o and the priority %d, %v", mask, now, err)
			}
		})
	}
	sides.Wait()
}

func TestManyEndsAtOnceAreToldApart(t *testing.T) {
	o := adopt(t)
	gate := t.TempDir() + "/gate"
	if err := unix.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	const n = 100
	var ends sync.WaitGroup
	ready := make(chan struct{}, n)
	for i := range n {
		ends.Go(func() {
			spec := sh(fmt.Sprintf("read x < %s; exit %d", gate, i))
			spec.Orphans = o
			p, err := Start(spec)
			ready <- struct{}{}
			if err != nil {
				t.Error(err)
				return
			}
			if e, err := p.Wait(t.Context()); err != nil || e.Code != i {
				t.Errorf("child %d: %+v, %v", i, e, err)
			}
			if s := p.Sweep(t.Context(), Stop{Tree: true}); len(s.Killed)+len(s.Left) > 0 || s.Err != nil {
				t.Errorf("child %d left %+v", i, s)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for range n {
		<-ready
	}
	w, err := os.OpenFile(gate, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.WriteString(strings.Repeat("\n", n)); err != nil {
		t.Fatal(err)
	}
	ends.Wait()
	if len(o.known) > 0 {
		t.Errorf("known still: %v", o.known)
	}
}

func TestAWaitThatIsCutShortLeavesTheOthersWaiting(t *testing.T) {
	fifo := t.TempDir() + "/fifo"
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, sh("read x < "+fifo+"; exit 4"))
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := p.Wait(ctx)
		first <- err
	}()
	for !p.watched.Load() {
		time.Sleep(time.Millisecond)
	}
	second := make(chan Exit, 1)
	go func() {
		e, err := p.Wait(t.Context())
		if err != nil {
			t.Error(err)
		}
		second <- e
	}()
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first got %v", err)
	}
	if p.Ended() {
		t.Error("it has ended")
	}
	if err := os.WriteFile(fifo, []byte("\n"), 0); err != nil {
		t.Fatal(err)
	}
	if e := <-second; e.Code != 4 {
		t.Errorf("the second got %+v", e)
	}
}

func TestAChildThatIsLetGoIsReapedWhenItEnds(t *testing.T) {
	o := adopt(t)
	fifo := t.TempDir() + "/fifo"
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	spec := sh("read x < " + fifo)
	spec.Orphans = o
	p := start(t, spec)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(t.Context()); err == nil {
		t.Error("it can be waited for still")
	}
	if err := os.WriteFile(fifo, []byte("\n"), 0); err != nil {
		t.Fatal(err)
	}
	end(t, p.Pid)
	if o.reapAll() || isThere(p.Pid) {
		t.Error("it is still a zombie")
	}
}
