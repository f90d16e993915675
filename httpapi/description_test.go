package httpapi

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDescribedErrors holds the kinds in the description to the table. That
// responses are as described is tested in the conformance module.
func TestDescribedErrors(t *testing.T) {
	var doc struct {
		Components struct {
			Schemas struct {
				Error struct {
					Properties struct {
						Kind struct{ Enum []string }
					}
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal(description, &doc))
	assert.ElementsMatch(t, slices.Collect(maps.Keys(statusOf)), doc.Components.Schemas.Error.Properties.Kind.Enum)
}

// TestKindsHaveStatus finds every kind of the store's errors in the table.
func TestKindsHaveStatus(t *testing.T) {
	for _, e := range storeErrors {
		assert.Contains(t, statusOf, e.told.kind)
	}
	assert.Contains(t, statusOf, errInternal.kind)
}
