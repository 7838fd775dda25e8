"""What is normal for one device, learned online: features, their tails, the daily and weekly season.

Pure arithmetic over floats, in bounded memory; ``rules.kinds.anomaly`` makes a rule of it. Why these methods and no
others is measured in ``docs/detection.md``.
"""
