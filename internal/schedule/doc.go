// Package schedule turns cron expressions into instants. An Expr is one parsed
// expression; a Schedule joins several with a zone and a rule for the days on
// which that zone shifts its clocks. Everything here is pure: no clock is
// read, nothing waits, nothing is shared.
//
// # How the clocks' shifts are handled
//
// An expression names nominal times: dates and times of day, without a zone.
// A zone is a row of segments with a constant offset each, and within a
// segment a nominal time N is the instant N minus the offset. Between two
// segments the clock may jump forward, so that nominal times are skipped (a
// gap), or back, so that they come twice (a fold).
//
//  1. An expression whose minute or hour field begins with "*" is a wildcard:
//     it follows elapsed time. It has an occurrence whenever the local fields
//     match: in both passes of a fold, and none inside a gap. "@every"
//     follows elapsed time too.
//  2. Any other expression is a fixed time of day. What a gap skips occurs
//     once, at the first instant after the gap, or not at all where the rule
//     says so. What a fold repeats occurs in the first pass, or in both where
//     the rule says so.
//  3. Where a gap swallows a whole local date, as when a place moves across
//     the date line, that date does not exist, and nothing stands in for it.
//
// The search for nominal times goes by bits of sets and never sees a zone. It is
// compared with robfig/cron, whose own zone handling skips what a gap skips and
// repeats what a fold repeats, with croniter and with Debian's cron.
//
// The package also holds the text forms of durations and of points in time
// which the configuration and the commands share.
package schedule
