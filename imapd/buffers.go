package imapd

import "sync"

// copyBuffers are for bodies on their way in.
var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}
