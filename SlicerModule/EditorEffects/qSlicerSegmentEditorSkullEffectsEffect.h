#ifndef qSlicerSegmentEditorSkullEffectsEffect_h
#define qSlicerSegmentEditorSkullEffectsEffect_h

#include "SkullEffectsSlicePreview.h"
#include "qSlicerSkullEffectsEditorEffectsExport.h"

// Segmentations includes
#include <qSlicerSegmentEditorAbstractEffect.h>

// VTK includes
#include <vtkSmartPointer.h>

// Qt includes
#include <QStringList>

// STD includes
#include <string>
#include <vector>

class qSlicerSegmentEditorSkullEffectsEffectPrivate;
class vtkSkullEffectsOperation;
class vtkSlicerSkullEffectsLogic;

/// \brief What the effects of SkullEffects have in common: options, Apply with progress and Cancel, undo, messages.
///
/// A subclass adds its options in setupOptionsFrame(), each a parameter of the segment editor's node, and makes an
/// operation of them. For scripts: setOption(), apply(), lastError().
class Q_SLICER_SKULLEFFECTS_EFFECTS_EXPORT qSlicerSegmentEditorSkullEffectsEffect : public qSlicerSegmentEditorAbstractEffect
{
  Q_OBJECT

public:
  typedef qSlicerSegmentEditorAbstractEffect Superclass;
  explicit qSlicerSegmentEditorSkullEffectsEffect(QObject* parent = nullptr);
  ~qSlicerSegmentEditorSkullEffectsEffect() override;

  void setMRMLDefaults() override;
  void activate() override;
  void deactivate() override;

  /// Computes the effect's result and writes it.
  /// \return Whether that succeeded; lastError() says why it did not.
  Q_INVOKABLE bool apply();

  /// Computes what apply() would write, and shows it in the slice views until the effect is left. A following apply() with
  /// the same parameters takes it from there.
  Q_INVOKABLE bool preview();

  /// Ends apply() and preview() soon. The segmentation stays as it was.
  Q_INVOKABLE void cancel();

  /// Why the last apply() did not succeed, and what to do; empty where it did or was cancelled.
  Q_INVOKABLE QString lastError() const;

  /// What the user should know about the last result.
  Q_INVOKABLE QStringList lastWarnings() const;

  /// Names of the effect's parameters.
  Q_INVOKABLE QStringList optionNames() const;

  /// Sets a parameter by name; fails, unlike setParameter(), where there is none of this name.
  Q_INVOKABLE bool setOption(const QString& name, const QString& value);

public slots:
  void updateGUIFromMRML() override;
  void updateMRMLFromGUI() override;
  /// Applies, or cancels what runs, and shows an error to the user.
  void onApplyClicked();

protected slots:
  void onPreviewToggled(bool on);
  /// Computes the preview anew where its parameters have changed.
  void onPreviewOutdated();
  void onPulse();

protected:
  /// The operation that the parameters describe.
  virtual vtkSmartPointer<vtkSkullEffectsOperation> createOperation() = 0;

  /// Shows what an operation found, whether it is written or not.
  virtual void show(vtkSkullEffectsOperation* operation);

  /// Shows a line and the operation's warnings, which are then the last ones.
  void tell(const QString& line, vtkSkullEffectsOperation* operation);

  /// What an operation found, in a line.
  virtual QString summary(vtkSkullEffectsOperation* operation);

  /// Writes the operation's result: sets the selected segment, or a new one, to the mask.
  virtual bool write(vtkSkullEffectsOperation* operation, vtkOrientedImageData* mask);

  /// Sets a segment to a mask, within the editor's masking and overwriting.
  void setSegment(const std::string& segmentID, vtkOrientedImageData* mask);

  ///@{
  /// Adds an option: a parameter of this name, and the widget that shows it.
  /// \param zeroText What is shown for 0, where 0 stands for something else.
  void addLength(const QString& name, const QString& label, const QString& toolTip, double maximumMm, double defaultMm, const QString& zeroText = QString());
  void addVolume(const QString& name, const QString& label, const QString& toolTip, double defaultMl, const QString& zeroText = QString());
  void addIntensity(const QString& name, const QString& label, const QString& toolTip, double defaultValue);
  void addCheckBox(const QString& name, const QString& label, const QString& toolTip, bool defaultValue);
  /// \param values What the parameter can be; the first is the default.
  /// \param texts How the values are shown.
  void addChoice(const QString& name, const QString& label, const QString& toolTip, const QStringList& values, const QStringList& texts);
  /// One of the segmentation's segments, all that are visible (VISIBLE_SEGMENTS) or none (empty).
  void addSegment(const QString& name, const QString& label, const QString& toolTip);
  ///@}

  ///@{
  /// Puts the options that are added in between beside each other.
  void beginRow(const QString& label);
  void addToRow(QWidget* widget);
  void endRow();
  ///@}

  /// The segments that an option of addSegment() stands for; the selected one is none of the visible ones.
  std::vector<std::string> segmentIDs(const QString& name);

  /// The widget of an option.
  QWidget* optionWidget(const QString& name) const;

  /// Adds Apply, the progress bar and the message, below all options.
  /// \param withPreview Add a button for preview(), too.
  void addApply(bool withPreview);

  /// What the slice views show while the effect is active, some times a second; by default what preview() has computed.
  virtual bool previewSelection(SkullEffectsSlicePreview::Selection& selection);

  /// Follows, some times a second while the effect is active, what changes without a word to effects, as by an undo.
  virtual void follow();

  /// What a result depends on; while it stays the same, a computed one can be written.
  virtual QString state();

  /// Forgets what preview() has computed.
  void discardPreview();

  /// The colour that the result has, or will have.
  void resultColor(vtkSkullEffectsOperation* operation, double color[3]);

  /// The parameter, empty where the node has none of this name: Slicer does not store an empty one.
  QString text(const QString& name);

  /// The parameter as a number; the default where it is not one, as while a scene closes.
  double number(const QString& name, double defaultValue);

  /// Why apply() fails, where a subclass finds out.
  void setLastError(const QString& message);

  /// The logic of the module; null where it is not loaded.
  static vtkSlicerSkullEffectsLogic* logic();

  /// Computes the operation in the segmentation's geometry and shows progress; nothing is written.
  bool compute(vtkSkullEffectsOperation* operation, vtkOrientedImageData* mask);

private:
  void onProgress();
  bool computeResult();
  void addWidget(const QString& label, QWidget* widget);
  void addNumber(const QString& name, const QString& label, QWidget* box, double defaultValue);

  QScopedPointer<qSlicerSegmentEditorSkullEffectsEffectPrivate> d_ptr;
  Q_DECLARE_PRIVATE(qSlicerSegmentEditorSkullEffectsEffect);
  Q_DISABLE_COPY(qSlicerSegmentEditorSkullEffectsEffect);
};

#endif
