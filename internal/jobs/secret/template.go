// Package secret reads the values that settings refer to instead of holding
// them: `${cred:NAME}`, `${env:NAME}` and `${file:PATH}`.
//
// A setting is parsed once into a Template, which knows its references and
// its placeholders apart, and is then expanded in one pass. What a reference
// or a placeholder is replaced by is never looked at again: an argument that
// reads `${file:/etc/shadow}` stays those words, and so does a password that
// reads `{arg}`.
package secret

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/poold/poold/internal/jobs"
)

// Kind tells the parts of a Template apart.
type Kind int

// The kinds of parts.
const (
	Text      Kind = iota // to be taken as it is
	Reference             // to a secret, as SOURCE:NAME
	Place                 // a placeholder, such as {arg}
)

// Part is a stretch of a Template.
type Part struct {
	Kind Kind
	Text string
}

// Template is a setting's text, parsed.
type Template []Part

// SyntaxError is something wrong in a template's text.
type SyntaxError struct {
	Message string
	Hint    string // the way out
}

// Error is the message with the hint.
func (e *SyntaxError) Error() string { return e.Message + "; " + e.Hint }

// Problem reports an error of Parse as a problem at the given path.
func Problem(err error, path ...any) jobs.Problem {
	var syntax *SyntaxError
	if errors.As(err, &syntax) {
		return jobs.Problem{Path: path, Message: syntax.Message, Hint: syntax.Hint}
	}
	return jobs.Problem{Path: path, Message: err.Error()}
}

// literal is how the two characters that begin a reference are written when
// they are meant as text.
const literal = "$${"

// Parse splits s into text, references and placeholders. `$${` stands for the
// text `${`. Every error is a *SyntaxError.
func Parse(s string) (Template, error) {
	var t Template
	for {
		at := strings.Index(s, "${")
		if at < 0 {
			return t.places(s), nil
		}
		if at > 0 && s[at-1] == '$' {
			// A part of its own: `$${arg}` holds no placeholder.
			t = append(t.places(s[:at-1]), Part{Text, "${"})
			s = s[at+len("${"):]
			continue
		}
		ref, rest, err := cutReference(s[at:])
		if err != nil {
			return nil, err
		}
		t = append(t.places(s[:at]), Part{Reference, ref})
		s = rest
	}
}

// places appends text, split at its placeholders.
func (t Template) places(text string) Template {
	for text != "" {
		at, place := len(text), ""
		for _, p := range []string{jobs.PlaceArg, jobs.PlaceRunID, jobs.PlaceScheduledAt} {
			if i := strings.Index(text, p); i >= 0 && i < at {
				at, place = i, p
			}
		}
		if at > 0 {
			t = append(t, Part{Text, text[:at]})
		}
		if place != "" {
			t = append(t, Part{Place, place})
		}
		text = text[at+len(place):]
	}
	return t
}

// cutReference takes the reference off the beginning of s.
func cutReference(s string) (ref, rest string, err error) {
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return "", "", &SyntaxError{"${ without a closing }", "write " + literal + " for the text itself"}
	}
	ref = s[len("${"):end]
	if p := "{" + ref + "}"; jobs.Placeholder(p) == p {
		return "", "", &SyntaxError{fmt.Sprintf("$%s is no reference to a secret", p), "write " + p + " for the placeholder"}
	}
	if p := jobs.Placeholder(s[:end+1]); p != "" {
		return "", "", &SyntaxError{
			fmt.Sprintf("%s inside a reference: an argument must not choose what is read", p),
			"name the source in full",
		}
	}
	source, name, _ := strings.Cut(ref, ":")
	if err := checkReference(ref, source, name); err != nil {
		return "", "", err
	}
	return ref, s[end+1:], nil
}

var (
	variableName   = regexp.MustCompile(`\A[A-Za-z_][A-Za-z0-9_]*\z`)
	credentialName = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9._-]{0,254}\z`)
)

func checkReference(ref, source, name string) error {
	switch {
	case source == "cred" && !credentialName.MatchString(name):
		return &SyntaxError{fmt.Sprintf("${%s} names no credential", ref), "write ${cred:NAME}, as in LoadCredential=NAME:…"}
	case source == "env" && !variableName.MatchString(name):
		return &SyntaxError{fmt.Sprintf("${%s} names no variable", ref), "write ${env:NAME}"}
	case source == "file" && (!filepath.IsAbs(name) || strings.ContainsRune(name, 0)):
		return &SyntaxError{fmt.Sprintf("${%s} is not an absolute path", ref), "write ${file:/the/full/path}"}
	case !slices.Contains([]string{"cred", "env", "file"}, source):
		return &SyntaxError{
			fmt.Sprintf("${%s} is no reference to a secret", ref),
			"write ${cred:NAME}, ${env:NAME} or ${file:/PATH}, or " + literal + " for the text itself",
		}
	}
	return nil
}

var anyReference = regexp.MustCompile(`\$\{(?:cred:[A-Za-z0-9._-]+|env:[A-Za-z_][A-Za-z0-9_]*|file:/[^}]*)\}`)

// Find returns the first reference in a text that is no template, or "". It
// is for settings in which a secret would end up where others can see it.
func Find(s string) string { return anyReference.FindString(s) }

// Has says whether the template has a part of that kind.
func (t Template) Has(k Kind) bool {
	return slices.ContainsFunc(t, func(p Part) bool { return p.Kind == k })
}

// HasPlace says whether the template has that placeholder.
func (t Template) HasPlace(place string) bool {
	return slices.Contains(t, Part{Place, place})
}

// Show gives the template for people: the placeholders replaced, the secrets
// by three stars.
func (t Template) Show(place func(string) string) string {
	var b strings.Builder
	for _, p := range t {
		switch p.Kind {
		case Text:
			b.WriteString(p.Text)
		case Place:
			b.WriteString(place(p.Text))
		case Reference:
			b.WriteString(stars)
		}
	}
	return b.String()
}
