module github.com/jobstore/jobstore/faults

go 1.26.0

require (
	github.com/hanwen/go-fuse/v2 v2.12.1
	github.com/jobstore/jobstore v0.0.0
	github.com/stretchr/testify v1.12.1
	golang.org/x/sys v0.49.0
)

require (
	github.com/vmihailenco/msgpack/v5 v5.4.1 // indirect
	github.com/vmihailenco/tagparser/v2 v2.0.0 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace github.com/jobstore/jobstore => ../
