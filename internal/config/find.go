package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Find returns the configuration to take: what the flag says, else
// $POOLD_CONFIG, else ./config.yaml, else /etc/poold/config.yaml. One that is
// named is returned even if it is not there: Load then says so.
func Find(flag string) (string, error) {
	for _, named := range []string{flag, os.Getenv("POOLD_CONFIG")} {
		if named != "" {
			return named, nil
		}
	}
	places := []string{"config.yaml", "/etc/poold/config.yaml"}
	for _, place := range places {
		_, err := os.Stat(place)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return place, nil
		}
	}
	return "", fmt.Errorf("there is no configuration at %s; name one with --config or $POOLD_CONFIG", strings.Join(places, " or "))
}
