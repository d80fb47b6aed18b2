"""What Ray Tune needs beside a searcher: schedulers, fair shares of a cluster, snapshots of a study."""
