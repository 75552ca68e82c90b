# Template of the formula: scripts/release-files.mjs puts version and digests in, from the archives of a release.
class ImdsGuard < Formula
  desc "Refuses impersonated EC2 instance metadata (IMDS), and says who answers"
  homepage "@HOMEPAGE@"
  version "@VERSION@"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "@BASE@/imds-guard-macos-arm64.tar.gz"
      sha256 "@SHA256_MACOS_ARM64@"
    end
    on_intel do
      url "@BASE@/imds-guard-macos-x64.tar.gz"
      sha256 "@SHA256_MACOS_X64@"
    end
  end

  on_linux do
    on_arm do
      url "@BASE@/imds-guard-linux-arm64.tar.gz"
      sha256 "@SHA256_LINUX_ARM64@"
    end
    on_intel do
      url "@BASE@/imds-guard-linux-x64.tar.gz"
      sha256 "@SHA256_LINUX_X64@"
    end
  end

  def install
    bin.install "imds-guard"
    man1.install "imds-guard.1"
    generate_completions_from_executable(bin/"imds-guard", "completion")
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/imds-guard --version")
    assert_match "verdict", shell_output("#{bin}/imds-guard detect --json", 3)
  end
end
