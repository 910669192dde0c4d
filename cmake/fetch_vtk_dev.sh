#!/bin/sh
# Puts what VTK's Python wheel leaves out, its C++ headers and wrapping tools, in DEST/include and DEST/bin.
#
# usage: fetch_vtk_dev.sh DEST PYTHON
#   PYTHON           an interpreter that has the package vtk
#   VTK_DEV_SUITE    the Debian suite whose VTK is of the wheel's version (default: forky)
#   VTK_DEV_MIRROR   where to get it from (default: the mirror that this machine's own apt sources name)
#   VTK_DEV_ARCHIVE  a copy that was made earlier, for when the suite has moved on or cannot be reached
#
# They come from Debian's packages, which are unpacked and not installed; nothing outside DEST changes.
set -eu
mkdir -p "$1"
dest=$(cd "$1" && pwd)
python=$2
suite=${VTK_DEV_SUITE:-forky}
wanted=$("$python" -c 'import vtkmodules.vtkCommonCore as c; v = c.vtkVersion(); print(f"{v.GetVTKMajorVersion()}.{v.GetVTKMinorVersion()}")')

fetch() {
    apt=$dest/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/parts" "$apt/debs"
    : > "$apt/status"
    mirror=${VTK_DEV_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
        grep '/debian/*$' | head -n 1)}
    [ -n "$mirror" ] || { echo "no Debian mirror among this machine's apt sources: set VTK_DEV_MIRROR" >&2; return 1; }
    cat > "$apt/parts/dev.sources" <<EOF
Types: deb
URIs: $mirror
Suites: $suite
Components: main
Architectures: amd64
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
EOF
    cat > "$apt/apt.conf" <<EOF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/parts";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
EOF
    export APT_CONFIG="$apt/apt.conf"
    apt-get -qq update
    version=$(apt-cache show --no-all-versions libvtk9-dev | sed -n 's/^Version: //p')
    case $version in
        "$wanted".*) ;;
        *) echo "$suite has VTK $version, the wheel is $wanted" >&2; return 1 ;;
    esac
    (cd "$apt/debs" && apt-get -qq download libvtk9-dev vtk9 python3-vtk9 libc6)
    for deb in "$apt"/debs/*.deb; do
        case $deb in
            */libvtk9-dev_*) dpkg --fsys-tarfile "$deb" | tar x -C "$dest" ./usr/include ;;
            */libc6_*) mkdir -p "$dest/libc" && dpkg -x "$deb" "$dest/libc" ;;
            *) dpkg --fsys-tarfile "$deb" | tar x -C "$dest" --wildcards './usr/bin/vtkWrap*' ;;
        esac
    done
    rm -rf "$apt"
    # Debian's VTK runs its SMP tools on TBB; the wheel has the sequential ones for default, and no TBB.
    sed -i -e 's/^#define VTK_SMP_TBB$/#define VTK_SMP_Sequential/' \
        -e 's/^#define VTK_SMP_BACKEND "TBB"$/#define VTK_SMP_BACKEND "Sequential"/' \
        -e 's/^#define VTK_SMP_ENABLE_TBB 1$/#define VTK_SMP_ENABLE_TBB 0/' \
        -e 's/^#define VTK_SMP_DEFAULT_IMPLEMENTATION_TBB 1$/#define VTK_SMP_DEFAULT_IMPLEMENTATION_TBB 0/' \
        -e 's/^#define VTK_SMP_DEFAULT_IMPLEMENTATION_SEQUENTIAL 0$/#define VTK_SMP_DEFAULT_IMPLEMENTATION_SEQUENTIAL 1/' \
        "$dest/usr/include/vtk-$wanted/vtkSMP.h"
}

# In a subshell with -e of its own, which "if" would switch off.
set +e
(set -e; fetch)
fetched=$?
set -e
if [ $fetched -ne 0 ]; then
    [ -n "${VTK_DEV_ARCHIVE:-}" ] || exit 1
    echo "using the copy $VTK_DEV_ARCHIVE" >&2
    tar xJf "$VTK_DEV_ARCHIVE" -C "$dest"
fi

smp=$dest/usr/include/vtk-$wanted/vtkSMP.h
grep -q 'VTK_SMP_ENABLE_TBB 0' "$smp"
grep -q 'VTK_SMP_DEFAULT_IMPLEMENTATION_SEQUENTIAL 1' "$smp"
ln -sfn "usr/include/vtk-$wanted" "$dest/include"
# The tools may need a newer libc than this machine's, so they run under their own, with the wheel's parser library.
libc=$dest/libc/usr/lib/x86_64-linux-gnu
modules=$("$python" -c 'import sysconfig; print(sysconfig.get_path("platlib") + "/vtkmodules")')
mkdir -p "$dest/bin" "$dest/lib"
ln -sf "$modules/libvtkWrappingTools.so" "$dest/lib/libvtkWrappingTools-$wanted.so.1"
for tool in vtkWrapHierarchy vtkWrapPython vtkWrapPythonInit; do
    cat > "$dest/bin/$tool" <<EOF
#!/bin/sh
exec "$libc/ld-linux-x86-64.so.2" --library-path "$libc:$dest/lib" "$dest/usr/bin/$tool-$wanted" "\$@"
EOF
    chmod +x "$dest/bin/$tool"
done
"$dest/bin/vtkWrapPython" --version > "$dest/version" # written last: without it the folder is half made
