"""Wrong in what is announced: bytes, parts, bits, density."""

from support.bad_compressors.honest import Honest, breaks


@breaks("bytes")
class SaysTooFewBytes(Honest):
    def max_bytes(self, d):
        return super().max_bytes(d) - 1


@breaks("bytes")
class SaysTooManyBytes(Honest):
    def max_bytes(self, d):
        return super().max_bytes(d) + 1


@breaks("bytes")
class SaysTooFewParts(Honest):
    parts = 0


@breaks("paper-bits")
class NoPaperBits(Honest):
    def paper_bits(self, d):
        return float("nan")


@breaks("paper-bits")
class OtherPaperBits(Honest):
    def paper_bits(self, d):
        return super().paper_bits(d) / 2


@breaks("density")
class DenserThanSaid(Honest):
    def density(self, d):
        return 0.9 * super().density(d)
