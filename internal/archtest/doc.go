// Package archtest holds the arrows between the packages where
// docs/architecture.md draws them. It is tests only: they ask the go command
// what each package depends on, directly or through others.
package archtest
