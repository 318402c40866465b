#!/bin/sh
# A wrapper of rustc for cargo: leaves coverage counters and the address sanitizer out of burn, which no target runs. With them
# its kernels take more time and memory to compile than everything else together.
#
#     RUSTC_WRAPPER="$PWD/fuzz/uninstrumented.sh" cargo fuzz ...
case " $* " in
*" --crate-name burn"*) ;;
*) exec "$@" ;;
esac
for argument; do
    shift
    case $argument in
    -Cpasses=sancov-module | -Cllvm-args=-sanitizer-coverage-* | -Zsanitizer=address | -Ccodegen-units=1) ;;
    *) set -- "$@" "$argument" ;;
    esac
done
exec "$@"
