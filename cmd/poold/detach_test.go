package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/poold/poold/internal/api"
)

func TestAnInterruptWhileWaitingLeavesTheRunAlone(t *testing.T) {
	t.Parallel()
	h := newHost(t, "jobs: {long: {with: {shell: \"echo begun; exec sleep 1000\"}}}\n")
	h.start()
	for _, args := range [][]string{{"run", "long", "--wait"}, {"run", "long", "--follow"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			var complaints bytes.Buffer
			cmd := h.command(args...)
			cmd.Stderr = &complaints
			said, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			before := len(h.runs("long"))
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := bufio.NewReader(said).ReadString('\n'); err != nil { // from now on it waits
				t.Fatal(err)
			}
			h.await(10*time.Second, "a run is under way", func() bool {
				runs := h.runs("long")
				return len(runs) > before && runs[0].State == api.StateRunning
			})
			id := h.runs("long")[0].ID
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if status := cmd.ProcessState.ExitCode(); status != 1 {
				t.Errorf("exit status %d, want 1", status)
			}
			for _, want := range []string{"detached", fmt.Sprintf("poold logs %d --follow", id)} {
				if !strings.Contains(complaints.String(), want) {
					t.Errorf("it said %q, without %q", complaints.String(), want)
				}
			}
			if r := h.runs("long")[0]; r.State != api.StateRunning {
				t.Errorf("the run is %s", r.State)
			}
		})
	}
}
