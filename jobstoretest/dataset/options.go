package dataset

import (
	"encoding/json"
	"fmt"

	"github.com/jobstore/jobstore"
)

// options returns what a job of a kind was asked to make.
func (g *generator) options(kind jobstore.Kind) json.RawMessage {
	size := one(g.rng, sizes)
	switch kind {
	case jobstore.KindVideo:
		return fmt.Appendf(nil, `{"format":"mp4","codec":%q,"quality":%q,"width":%d,"height":%d,"bitrate":%d,"audio":{"codec":"aac","bitrate":%d}}`,
			one(g.rng, codecs), one(g.rng, qualities), size.width, size.height,
			1000*(800+g.rng.IntN(7200)), 1000*(64+32*g.rng.IntN(7)))
	case jobstore.KindAudio:
		return fmt.Appendf(nil, `{"format":"mp3","bitrate":%d,"channels":%d,"sample_rate":48000,"loudness":{"target":%d,"true_peak":-1}}`,
			1000*(64+32*g.rng.IntN(9)), 1+g.rng.IntN(2), -24+g.rng.IntN(10))
	case jobstore.KindImage:
		return fmt.Appendf(nil, `{"format":"webp","width":%d,"height":%d,"fit":"cover","quality":%d,"crop":{"gravity":%q,"zoom":%d}}`,
			size.width, size.height, 60+g.rng.IntN(40), one(g.rng, gravities), 100+g.rng.IntN(50))
	case jobstore.KindAnimation:
		return fmt.Appendf(nil, `{"format":"gif","fps":%d,"width":%d,"start":%d.5,"duration":%d,"loop":true,"palette":{"colors":%d,"dither":"bayer"}}`,
			8+g.rng.IntN(17), size.width/2, g.rng.IntN(90), 2+g.rng.IntN(8), 32<<g.rng.IntN(4))
	default:
		return fmt.Appendf(nil, `{"format":"hls","segment":%d,"renditions":[{"height":1080,"bitrate":%d},{"height":720,"bitrate":%d},{"height":480,"bitrate":%d}]}`,
			2+2*g.rng.IntN(4), 1000*(4000+g.rng.IntN(4000)), 1000*(2000+g.rng.IntN(1000)), 1000*(800+g.rng.IntN(800)))
	}
}

// metadata returns what the customer keeps with a job.
func (g *generator) metadata(tenant int) json.RawMessage {
	text := fmt.Appendf(nil, `{"tenant":"org_%04d","user":"usr_%08x","request":"req_%016x","source":%q,"tags":[%q`,
		tenant, g.rng.Uint32(), g.rng.Uint64(), one(g.rng, sources), one(g.rng, tags))
	for range g.rng.IntN(3) {
		text = fmt.Appendf(text, `,%q`, one(g.rng, tags))
	}
	return append(text, "]}"...)
}

var (
	sizes = []struct{ width, height int }{
		{640, 360}, {854, 480}, {1280, 720}, {1920, 1080}, {3840, 2160},
	}
	codecs    = []string{"h264", "h265", "vp9", "av1"}
	qualities = []string{"low", "medium", "high"}
	gravities = []string{"face", "center", "north", "auto"}
	sources   = []string{"web", "api", "mobile-ios", "mobile-android", "s3-import"}
	tags      = []string{"launch", "eu-west", "trial", "priority", "nightly", "course", "ugc", "archive"}
)
