package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/poold/poold/internal/jobs"
	"github.com/poold/poold/internal/schedule"
	"github.com/spf13/viper"
)

// What holds where nothing is written.
const (
	defaultDrainTimeout = 30 * time.Second
	defaultSettle       = 200 * time.Millisecond
	defaultAge          = 30 * 24 * time.Hour
	defaultRuns         = 1_000_000
	defaultOutputTotal  = 2 << 30
	defaultKeepPerJob   = 20
)

// maxSocketPath is what fits into the address of a unix socket.
const maxSocketPath = 107

// overridable maps the settings that the environment may set to its variables.
func overridable() map[string]string {
	return map[string]string{
		"daemon.state_dir":  "POOLD_STATE_DIR",
		"daemon.socket":     "POOLD_SOCKET",
		"daemon.listen":     "POOLD_LISTEN",
		"daemon.log.level":  "POOLD_LOG_LEVEL",
		"daemon.log.format": "POOLD_LOG_FORMAT",
	}
}

// settings fills in the daemon's own settings.
func (l *loader) settings() {
	raw := rawDaemon{}
	if l.main.Daemon != nil {
		raw = *l.main.Daemon
	}
	v := l.layers(raw)
	l.config.Daemon = Daemon{
		StateDir:     l.absolute(v, "daemon.state_dir"),
		Socket:       l.absolute(v, "daemon.socket"),
		Log:          Log{Level: LogLevel(v.GetString("daemon.log.level")), Format: LogFormat(v.GetString("daemon.log.format"))},
		DrainTimeout: or(raw.DrainTimeout, schedule.Duration(defaultDrainTimeout)),
		Watch:        WatchSettings{Enabled: true, Settle: schedule.Duration(defaultSettle)},
	}
	if raw.Watch != nil {
		l.config.Daemon.Watch.Enabled = or(raw.Watch.Enabled, true)
		l.config.Daemon.Watch.Settle = or(raw.Watch.Settle, schedule.Duration(defaultSettle))
	}
	l.checkWord(v, "daemon.log.level", LogLevel("").Values())
	l.checkWord(v, "daemon.log.format", LogFormat("").Values())
	if v.GetString("daemon.listen") != "" {
		l.setting("daemon.listen", "is not built yet in this version", "remove it")
	}
	if socket := l.config.Daemon.Socket; len(socket) > maxSocketPath {
		l.setting("daemon.socket", fmt.Sprintf("%s is %d bytes long, and a unix socket's path has room for %d", socket, len(socket), maxSocketPath),
			"choose a shorter path")
	}
}

// layers puts flag over environment over file over default.
func (l *loader) layers(raw rawDaemon) *viper.Viper {
	v := viper.New()
	v.SetDefault("daemon.state_dir", defaultStateDir(l.options.Euid()))
	v.SetDefault("daemon.socket", defaultSocket(l.options.Euid()))
	v.SetDefault("daemon.log.level", "info")
	v.SetDefault("daemon.log.format", "auto")
	log := rawLog{}
	if raw.Log != nil {
		log = *raw.Log
	}
	file := map[string]any{}
	set := func(key string, value *string) {
		if value != nil {
			file[key] = *value
		}
	}
	set("state_dir", raw.StateDir)
	set("socket", raw.Socket)
	set("log.level", (*string)(log.Level))
	set("log.format", (*string)(log.Format))
	for key, value := range file {
		if err := v.MergeConfigMap(nested("daemon."+key, value)); err != nil {
			l.setting("daemon."+key, err.Error(), "")
		}
	}
	for key, variable := range overridable() {
		if err := v.BindEnv(key, variable); err != nil {
			l.setting(key, err.Error(), "")
		}
	}
	for key, value := range l.options.Flags {
		v.Set(key, value)
	}
	return v
}

// nested makes a.b.c: value a mapping of mappings, as viper wants it.
func nested(key string, value any) map[string]any {
	first, rest, more := strings.Cut(key, ".")
	if !more {
		return map[string]any{key: value}
	}
	return map[string]any{first: nested(rest, value)}
}

// origin says where the value of a setting comes from: a flag, a variable, or
// nothing for the file and the default.
func (l *loader) origin(key string) string {
	if _, ok := l.options.Flags[key]; ok {
		return "--" + strings.NewReplacer("_", "-", ".", "-").Replace(strings.TrimPrefix(key, "daemon."))
	}
	if variable := overridable()[key]; variable != "" && os.Getenv(variable) != "" {
		return "$" + variable
	}
	return ""
}

// setting records an error about a setting, at the place that it comes from.
func (l *loader) setting(key, message, hint string) {
	if from := l.origin(key); from != "" {
		l.report.add(Error{File: from, Key: key, Message: message, Hint: hint})
		return
	}
	steps := path{}
	for word := range strings.SplitSeq(key, ".") {
		steps = append(steps, word)
	}
	l.report.check(l.top.at(steps...), steps, message, hint)
}

// checkWord checks a value from a flag or the environment; one from the file is
// checked as it is decoded.
func (l *loader) checkWord(v *viper.Viper, key string, words []string) {
	word := v.GetString(key)
	if slices.Contains(words, word) || l.origin(key) == "" {
		return
	}
	l.setting(key, fmt.Sprintf("%s is not a choice here", quoted(word)), "one of "+strings.Join(words, ", "))
}

// absolute returns a path from the settings. One from the file is relative to
// the file's folder, one from a flag or the environment to the working folder.
func (l *loader) absolute(v *viper.Viper, key string) string {
	value := v.GetString(key)
	if value == "" {
		l.setting(key, "is empty", "name a path, or remove the key")
		return ""
	}
	if !filepath.IsAbs(value) && l.origin(key) == "" {
		return filepath.Join(filepath.Dir(l.sources[0].path), value)
	}
	abs, err := filepath.Abs(value)
	if err != nil {
		l.setting(key, err.Error(), "write an absolute path")
	}
	return abs
}

// defaultStateDir is systemd's choice, else that of the user.
func defaultStateDir(euid int) string {
	if dirs := os.Getenv("STATE_DIRECTORY"); dirs != "" {
		first, _, _ := strings.Cut(dirs, ":") // a unit may name several
		return first
	}
	if euid == 0 {
		return "/var/lib/poold"
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "poold")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local/state/poold")
	}
	return "/var/lib/poold"
}

// defaultSocket is where clients look.
func defaultSocket(euid int) string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); euid != 0 && filepath.IsAbs(dir) {
		return filepath.Join(dir, "poold/poold.sock")
	}
	return "/run/poold/poold.sock"
}

// zone loads the top-level time zone.
func (l *loader) zone() {
	p := path{"time_zone"}
	if l.main.TimeZone != nil {
		l.config.TimeZone = *l.main.TimeZone
		if l.config.TimeZone == "" {
			l.report.check(l.top.at(p...), p, "is empty", "name a zone such as Europe/Berlin, or remove the key")
		}
	}
	zone, err := l.loadZone(l.config.TimeZone)
	if err != nil {
		l.report.wrap(l.top.at(p...), p, err)
		zone = time.UTC
	}
	l.config.Zone = zone
}

// loadZone is schedule.LoadZone, once per name.
func (l *loader) loadZone(name string) (*time.Location, error) {
	known, ok := l.zones[name]
	if !ok {
		known.zone, known.err = schedule.LoadZone(name)
		l.zones[name] = known
	}
	return known.zone, known.err
}

// rules takes down the rules of all zones, as part of what is loaded.
func (l *loader) rules() {
	l.config.rules = map[string]string{}
	sum := sha256.New()
	sum.Write([]byte(l.config.Digest))
	for _, name := range slices.Sorted(maps.Keys(l.zones)) {
		l.config.rules[name] = schedule.Rules(l.zones[name].zone)
		fmt.Fprintf(sum, "\n%q %s", name, l.config.rules[name])
	}
	l.config.Digest = hex.EncodeToString(sum.Sum(nil))
}

// retention fills in the bounds of the history.
func (l *loader) retention() {
	raw := rawRetention{}
	if l.main.Retention != nil {
		raw = *l.main.Retention
	}
	kept := Retention{
		Age:        or(raw.Age, schedule.Duration(defaultAge)),
		Runs:       or(raw.Runs, defaultRuns),
		Output:     or(raw.Output, jobs.Size(defaultOutputTotal)),
		KeepPerJob: or(raw.KeepPerJob, defaultKeepPerJob),
	}
	l.config.Retention = kept
	refuse := func(key, message, hint string) {
		p := path{"retention", key}
		l.report.check(l.top.at(p...), p, message, hint)
	}
	if kept.Age == 0 {
		refuse("age", "must be above 0", "write 1d to keep a day")
	}
	if kept.Runs < 1 {
		refuse("runs", "must be 1 or more", "")
	}
	if kept.KeepPerJob < 0 {
		refuse("keep_per_job", "must be 0 or more", "")
	}
}

// or returns what was written, or else the default.
func or[T any](written *T, otherwise T) T {
	if written == nil {
		return otherwise
	}
	return *written
}
