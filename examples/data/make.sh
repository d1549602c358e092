#!/bin/sh
# Makes bible-kjv.txt.gz: the King James Bible, a verse a line, without the verses' numbers.
#
#     apt-get install bible-kjv
#     examples/data/make.sh
#
# The same bytes come out each time: with the text of bible-kjv-text 4.38 and gzip 1.12, sha256
# fa3b36493c1ae7fa98203edb460929b0f95a53292b364c4ac3308deccd774478
set -eu
cd "$(dirname "$0")"
bible -f gen1:1-rev22:21 | sed 's/^[^ ]* //' | gzip -9n >bible-kjv.txt.gz
sha256sum bible-kjv.txt.gz
