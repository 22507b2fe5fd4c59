package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/poold/poold/internal/api"
)

// progressEvery is how often a progress bar moves.
const progressEvery = 250 * time.Millisecond

func (a *app) batchCommand() *cobra.Command {
	var start api.StartBatch
	var file, progress string
	var priority int
	var wait bool
	cmd := &cobra.Command{
		Use: "batch JOB", Short: "Run a job once for each line of input", Args: cobra.ExactArgs(1),
		Long: `Run a job once for each line of input, the line being the run's argument, and
print the name of the batch. All lines are accepted, or none. Empty lines are
passed over. With --id, the same name again returns the same batch.`,
		Example: `  poold batch crawl --file urls.txt --wait
  find /srv -name '*.raw' | poold batch convert --id raw-2026-01`,
		ValidArgsFunction: a.completeNames(a.jobNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("priority") {
				start.Priority = &priority
			}
			show, err := a.wantsProgress(progress)
			if err != nil {
				return err
			}
			if start.Lines, err = a.readLines(file); err != nil {
				return err
			}
			b, existing, err := a.daemon().StartBatch(cmd.Context(), args[0], start)
			if err != nil {
				return err
			}
			if existing {
				a.say("batch %s was there already; nothing was added", clean(b.Batch))
			}
			if !wait {
				return a.printBatchName(&b)
			}
			if !a.json {
				a.print("%s", clean(b.Batch))
			}
			return a.seeBatchThrough(cmd.Context(), b, show)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&file, "file", "-", "where the lines are; - is standard input")
	flags.IntVar(&priority, "priority", 0, "instead of the job's; higher first")
	flags.StringVar(&start.ID, "id", "", "the batch's name")
	flags.BoolVar(&wait, "wait", false, "wait for the end; exit status 1 unless all runs succeed")
	flags.StringVar(&progress, "progress", "auto", "show a progress bar: auto (on a terminal), always or never")
	completeFlag(cmd, "progress", completeWords("auto", "always", "never"))
	return cmd
}

func (a *app) wantsProgress(when string) (bool, error) {
	switch when {
	case "auto":
		return isTerminal(a.stderr), nil
	case "always", "never":
		return when == "always", nil
	}
	return false, usage("", "--progress is auto, always or never, not %q", when)
}

// readLines reads the lines of a batch.
func (a *app) readLines(file string) ([]string, error) {
	if file == "-" {
		if isTerminal(a.stdin) {
			a.say("reading lines from the terminal; end with ^D")
		}
		return a.splitLines(a.stdin, "standard input")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, usage("", "read the lines: %v", err)
	}
	defer f.Close()
	return a.splitLines(f, file)
}

// splitLines takes lines with and without a CR at their end, the last one
// also without a line break.
func (a *app) splitLines(from io.Reader, name string) ([]string, error) {
	lines, empty := []string{}, 0
	input := bufio.NewReaderSize(from, 64<<10)
	for n := 1; ; n++ {
		line, err := input.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read the lines of %s: %w", name, err)
		}
		text := strings.TrimRight(line, "\r\n")
		switch {
		case !utf8.ValidString(text):
			return nil, notUTF8(fmt.Sprintf("line %d of %s", n, name), text)
		case text != "":
			lines = append(lines, text)
		case line != "":
			empty++
		}
		if err != nil {
			break
		}
	}
	if empty > 0 {
		a.say("%s passed over", plural(empty, "empty line"))
	}
	if len(lines) == 0 {
		return nil, usage("each line becomes one run", "%s holds no lines", name)
	}
	return lines, nil
}

// notUTF8 refuses an argument that JSON cannot carry: it would arrive as
// another one, and the job would work on a file that nobody meant.
func notUTF8(what, text string) error {
	if len(text) > 80 {
		text = text[:80] + "…"
	}
	return usage("convert it with iconv; args.file of the job takes such names as they are", "%s is not UTF-8: %q", what, text)
}

func (a *app) printBatchName(b *api.Batch) error {
	if a.json {
		return a.emit(b)
	}
	a.print("%s", clean(b.Batch))
	return nil
}

// seeBatchThrough waits for the end of a batch and says how it ended.
func (a *app) seeBatchThrough(ctx context.Context, b api.Batch, show bool) error {
	b, err := a.awaitBatch(ctx, b, show)
	if errors.Is(err, errDetached) {
		return a.detached("batch %s goes on; poold wait --batch %s", clean(b.Batch), clean(b.Batch))
	}
	if err != nil {
		return err
	}
	a.say("%s", summary(&b))
	if a.json {
		err = a.emit(b)
	}
	if err == nil && b.Succeeded < b.Total {
		return statusError(exitFailed)
	}
	return err
}

// awaitBatch returns the batch once it is done. A bar is moved meanwhile.
func (a *app) awaitBatch(ctx context.Context, b api.Batch, show bool) (api.Batch, error) {
	ctx, stop := interruptible(ctx)
	defer stop()
	wait := 30 * time.Second
	moved := func(*api.Batch) {}
	if show {
		bar := newBar(a.stderr, &b)
		defer bar.Finish() //nolint:errcheck // it is only a picture
		wait, moved = progressEvery, func(b *api.Batch) { moveBar(bar, b) }
	}
	for !b.Done() {
		next, err := a.daemon().Batch(ctx, b.Batch, wait)
		if err != nil {
			return b, err
		}
		b = next
		moved(&b)
	}
	return b, nil
}

func newBar(w io.Writer, b *api.Batch) *progressbar.ProgressBar {
	return progressbar.NewOptions(b.Total,
		progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(barText(b)),
		progressbar.OptionSetWidth(24), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("runs"), progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish())
}

func moveBar(bar *progressbar.ProgressBar, b *api.Batch) {
	bar.Describe(barText(b))
	_ = bar.Set(b.Finished())
}

func barText(b *api.Batch) string {
	text := clean(b.Job)
	if b.Failed > 0 {
		text += fmt.Sprintf(", %d failed", b.Failed)
	}
	return text
}

// summary says how a batch ended, and how near to the ideal.
func summary(b *api.Batch) string {
	text := fmt.Sprintf("%s: %s, %d succeeded, %d failed", clean(b.Batch), plural(b.Total, "run"), b.Succeeded, b.Failed)
	if b.Canceled > 0 {
		text += fmt.Sprintf(", %d canceled", b.Canceled)
	}
	if b.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", b.Skipped)
	}
	if b.Wall == nil {
		return text
	}
	text += "; wall " + took(time.Duration(*b.Wall))
	if b.Ideal == nil || *b.Ideal <= 0 {
		return text
	}
	return text + ", ideal " + took(time.Duration(*b.Ideal)) + ", " + above(float64(*b.Wall)/float64(*b.Ideal))
}

// above puts a ratio of wall to ideal in words.
func above(ratio float64) string {
	percent := (ratio - 1) * 100
	word := "above"
	if percent < 0 {
		word = "below"
	}
	digits := 1
	if math.Abs(percent) >= 100 {
		digits = 0
	}
	return strconv.FormatFloat(math.Abs(percent), 'f', digits, 64) + " % " + word + " ideal"
}

func idText(id int64) string { return strconv.FormatInt(id, 10) }
