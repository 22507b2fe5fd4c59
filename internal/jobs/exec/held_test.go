package exec

import (
	"context"
	"testing"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/proc"
	"github.com/poold/poold/internal/schedule"
)

// leave starts a task's command and lets go of it, as a daemon that is
// killed does.
func leave(t *testing.T, task jobs.Task) {
	t.Helper()
	spec, err := New(Options{}).resolve.Resolve(task)
	if err != nil {
		t.Fatal(err)
	}
	p, err := proc.Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Stop(context.Background(), proc.Stop{Signal: 9, Tree: true})
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestHeldListsAttemptsAndStopsTheirTrees(t *testing.T) {
	first, second := newPipe(t), newPipe(t)
	script := func(p *pipe) Settings {
		return Settings{Shell: `exec 3> ` + p.path + `; (setsid sh -c 'trap "" TERM; echo up >&3; exec sleep 60' &); exec sleep 60`}
	}
	task, _ := newTask(t, script(first))
	task.Run, task.Attempt = 41, 1
	leave(t, task)
	other, _ := newTask(t, script(second))
	other.Run, other.Attempt, other.Ledger = 42, 3, task.Ledger
	leave(t, other)
	stranger, _ := newTask(t, Settings{Command: []string{"sleep", "60"}})
	leave(t, stranger)
	first.line(t)
	second.line(t)

	typ := New(Options{})
	held, err := typ.Held(t.Context(), task.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	if len(held) != 2 || held[0].Run != 41 || held[0].Attempt != 1 || held[1].Run != 42 || held[1].Attempt != 3 {
		t.Fatalf("held %+v, want attempts 1 of run 41 and 3 of run 42", held)
	}
	stop := jobs.Stop{Signal: "TERM", After: schedule.Duration(100 * time.Millisecond), Mode: jobs.StopTree}
	if err := held[0].Stop(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	first.closed(t)
	if !second.open(t) {
		t.Error("the other run's tree was stopped too")
	}
	if held, err = typ.Held(t.Context(), task.Ledger); err != nil || len(held) != 1 || held[0].Run != 42 {
		t.Errorf("held %+v, %v after one was stopped", held, err)
	}
}

func TestHeldInModeProcessStopsTheMainProcessAlone(t *testing.T) {
	main, left := newPipe(t), newPipe(t)
	task, _ := newTask(t, Settings{Shell: `
		(setsid sh -c 'exec 4> ` + left.path + `; echo up >&4; exec sleep 60' &)
		exec 3> ` + main.path + `; echo up >&3; exec sleep 60`})
	leave(t, task)
	main.line(t)
	left.line(t)
	held, err := New(Options{}).Held(t.Context(), task.Ledger)
	if err != nil || len(held) != 1 {
		t.Fatalf("held %+v, %v, want one", held, err)
	}
	if err := held[0].Stop(t.Context(), jobs.Stop{Signal: "TERM", After: schedule.Duration(time.Second), Mode: jobs.StopProcess}); err != nil {
		t.Fatal(err)
	}
	main.closed(t)
	if !left.open(t) {
		t.Error("what the job left behind was stopped too")
	}
}

func TestHeldIgnoresWhatMakesNoSense(t *testing.T) {
	for _, env := range []map[string]string{
		{},
		{varRunID: "7"},
		{varRunID: "x", varAttempt: "1"},
		{varRunID: "0", varAttempt: "1"},
		{varRunID: "-1", varAttempt: "1"},
		{varRunID: "1", varAttempt: "0"},
		{varRunID: "99999999999999999999", varAttempt: "1"},
	} {
		if key, ok := keyOf(proc.Found{Env: env}); ok {
			t.Errorf("%v gave %v", env, key)
		}
	}
	if held, err := New(Options{}).Held(t.Context(), ""); held != nil || err != nil {
		t.Errorf("without a ledger: %v, %v", held, err)
	}
}
