package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command and every flag stands in docs/commands.md, and those that are
// not built yet do, too.
func TestEachCommandIsDocumented(t *testing.T) {
	raw, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	flags := regexp.MustCompile(`--[a-z][a-z-]*`)
	commands := 0
	var check func(*cobra.Command)
	check = func(cmd *cobra.Command) {
		commands++
		name := cmd.CommandPath()
		if cmd.Hidden {
			name = "`" + cmd.Name() + "`"
		}
		if !cmd.HasSubCommands() && !strings.Contains(text, name) {
			t.Errorf("docs/commands.md says nothing of %s", name)
		}
		for _, flag := range flags.FindAllString(cmd.LocalFlags().FlagUsages(), -1) {
			flag = strings.TrimSpace(flag)
			if !strings.Contains(text, "`"+flag) && !strings.Contains(text, " "+flag) {
				t.Errorf("docs/commands.md says nothing of %s of %s", flag, cmd.CommandPath())
			}
		}
		for _, below := range cmd.Commands() {
			check(below)
		}
	}
	check(newRoot(newApp(Process{})))
	if commands < 30 {
		t.Errorf("only %d commands were found", commands)
	}
}
